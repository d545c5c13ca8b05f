//go:build !race

package proxypool

const raceDetector = false
