package proxypool

import (
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/caddy-proxypool/proxypool/pool"
)

// The metrics here are those of prometheus.MustNewConstMetric and its kin, but for
// the labels: thousands of series share theirs, where those would make, check and
// sort new ones for each.

// labels are in the order of their names, as the registry wants them. They are
// never changed.
type labels []*dto.LabelPair

func label(name, value string) *dto.LabelPair { return &dto.LabelPair{Name: &name, Value: &value} }

type counterSample struct {
	desc    *prometheus.Desc
	labels  labels
	value   float64
	counter dto.Counter
}

// Desc implements prometheus.Metric.
func (s *counterSample) Desc() *prometheus.Desc { return s.desc }

// Write implements prometheus.Metric.
func (s *counterSample) Write(m *dto.Metric) error {
	s.counter.Value = &s.value
	m.Label, m.Counter = s.labels, &s.counter
	return nil
}

type gaugeSample struct {
	desc   *prometheus.Desc
	labels labels
	value  float64
	gauge  dto.Gauge
}

// Desc implements prometheus.Metric.
func (s *gaugeSample) Desc() *prometheus.Desc { return s.desc }

// Write implements prometheus.Metric.
func (s *gaugeSample) Write(m *dto.Metric) error {
	s.gauge.Value = &s.value
	m.Label, m.Gauge = s.labels, &s.gauge
	return nil
}

type histogramSample struct {
	desc      *prometheus.Desc
	labels    labels
	counted   pool.Histogram
	histogram dto.Histogram
	buckets   [len(pool.HistogramBounds)]dto.Bucket
	below     [len(pool.HistogramBounds)]uint64
	sum       float64
	count     uint64
}

// bucketBounds are pool.HistogramBounds in seconds.
var bucketBounds = func() (bounds [len(pool.HistogramBounds)]float64) {
	for i, bound := range pool.HistogramBounds {
		bounds[i] = bound.Seconds()
	}
	return bounds
}()

// Desc implements prometheus.Metric.
func (s *histogramSample) Desc() *prometheus.Desc { return s.desc }

// Write implements prometheus.Metric. The last bucket, which has no bound, is made
// of the count by whoever shows it.
func (s *histogramSample) Write(m *dto.Metric) error {
	h := &s.histogram
	h.Bucket = make([]*dto.Bucket, len(s.buckets))
	s.count = 0
	for i, n := range s.counted.Buckets {
		s.count += uint64(n)
		if i < len(s.buckets) {
			s.below[i] = s.count
			s.buckets[i].CumulativeCount, s.buckets[i].UpperBound = &s.below[i], &bucketBounds[i]
			h.Bucket[i] = &s.buckets[i]
		}
	}
	s.sum = s.counted.Sum.Seconds()
	h.SampleCount, h.SampleSum = &s.count, &s.sum
	m.Label, m.Histogram = s.labels, h
	return nil
}

// Interface guards
var (
	_ prometheus.Metric = (*counterSample)(nil)
	_ prometheus.Metric = (*gaugeSample)(nil)
	_ prometheus.Metric = (*histogramSample)(nil)
)
