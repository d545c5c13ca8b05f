package proxypool

import "testing"

func TestBudgetAmounts(t *testing.T) {
	for name, test := range map[string]struct {
		budget  BudgetConfig
		bytes   int64
		dollars float64
	}{
		"dollars":        {BudgetConfig{USD: new(12.5)}, 0, 12.5},
		"least dollars":  {BudgetConfig{USD: new(minBudgetDollars)}, 0, 0.01},
		"most dollars":   {BudgetConfig{USD: new(1e6)}, 0, 1e6},
		"gigabytes":      {BudgetConfig{GB: new(5.0)}, 5 << 30, 0},
		"a tenth of one": {BudgetConfig{GB: new(0.1)}, 107374182, 0},
		"a megabyte":     {BudgetConfig{GB: new(1.0 / 1024)}, 1 << 20, 0},
		"most gigabytes": {BudgetConfig{GB: new(float64(1 << 20))}, 1 << 50, 0},
	} {
		t.Run(name, func(t *testing.T) {
			test.budget.Per = "day"
			if err := test.budget.validate(); err != nil {
				t.Error(err)
			}
			if bytes, dollars := test.budget.bytes(), test.budget.dollars(); bytes != test.bytes || dollars != test.dollars {
				t.Errorf("got %d bytes and %v dollars, expected %d and %v", bytes, dollars, test.bytes, test.dollars)
			}
		})
	}
}

func TestTrafficAlert(t *testing.T) {
	for name, test := range map[string]struct {
		proxy ProxyConfig
		want  int64
	}{
		"metered":           {ProxyConfig{CostPerGB: 12}, 5 << 30},
		"free":              {ProxyConfig{}, 0},
		"monthly":           {ProxyConfig{CostPerMonth: 5}, 0},
		"metered, off":      {ProxyConfig{CostPerGB: 12, TrafficAlert: new(int64(-1))}, 0},
		"metered, set":      {ProxyConfig{CostPerGB: 12, TrafficAlert: new(int64(1 << 20))}, 1 << 20},
		"free, set":         {ProxyConfig{TrafficAlert: new(int64(1 << 50))}, 1 << 50},
		"free, set to none": {ProxyConfig{TrafficAlert: new(int64(-1))}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if err := checkTrafficAlert(test.proxy.TrafficAlert); err != nil {
				t.Error(err)
			}
			if got := test.proxy.trafficAlert(); got != test.want {
				t.Errorf("got %d, expected %d", got, test.want)
			}
		})
	}
}
