package storagetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

// alert is an alert with an ID, different for every n.
func alert(id int64, n int) pool.Alert {
	return pool.Alert{
		ID: id, Time: noon.Add(time.Duration(n) * time.Second),
		Notifier: fmt.Sprintf("notifier %d", n), Body: fmt.Appendf(nil, "body %d", n),
	}
}

func testAlerts(t *testing.T, b *bed) {
	b.write(pool.Batch{Alerts: []pool.Alert{alert(10, 1), alert(20, 2)}})
	b.write(pool.Batch{Alerts: []pool.Alert{alert(1<<62, 3)}})
	equal(t, "alerts", b.alerts(), []pool.Alert{alert(10, 1), alert(20, 2), alert(1<<62, 3)})

	b.write(pool.Batch{Delivered: []int64{20, 1 << 40}, Alerts: []pool.Alert{alert(30, 4)}})
	equal(t, "after a delivery", b.alerts(), []pool.Alert{alert(10, 1), alert(30, 4), alert(1<<62, 3)})

	b.write(pool.Batch{Delivered: []int64{1 << 62, 30, 10, 10}})
	equal(t, "after all", b.alerts(), []pool.Alert(nil))

	b.write(pool.Batch{Alerts: []pool.Alert{alert(20, 5)}})
	equal(t, "an ID that was delivered", b.alerts(), []pool.Alert{alert(20, 5)})
}

// testAlertsDisorder hands over alerts in another order than that of their IDs.
func testAlertsDisorder(t *testing.T, b *bed) {
	b.write(pool.Batch{Alerts: []pool.Alert{alert(30, 1), alert(10, 2), alert(20, 3)}})
	b.write(pool.Batch{Alerts: []pool.Alert{alert(25, 4), alert(5, 5)}})
	equal(t, "alerts", b.alerts(), []pool.Alert{alert(5, 5), alert(10, 2), alert(20, 3), alert(25, 4), alert(30, 1)})
}

func testAlertsReplaced(t *testing.T, b *bed) {
	b.write(pool.Batch{Alerts: []pool.Alert{alert(1, 1), alert(2, 2), alert(3, 3)}})
	b.write(pool.Batch{Alerts: []pool.Alert{alert(2, 4), alert(1, 1)}})
	equal(t, "handed over again", b.alerts(), []pool.Alert{alert(1, 1), alert(2, 4), alert(3, 3)})

	b.write(pool.Batch{Alerts: []pool.Alert{alert(3, 5), alert(4, 6), alert(3, 7), alert(4, 8)}})
	equal(t, "the last in a batch", b.alerts(), []pool.Alert{alert(1, 1), alert(2, 4), alert(3, 7), alert(4, 8)})

	b.prune(pool.Expiry{Alerts: noon.Add(7 * time.Second)}, 10, false)
	equal(t, "as old as the last says", b.alerts(), []pool.Alert{alert(3, 7), alert(4, 8)})
}

// testAlertsDelivered has alerts that were delivered before they were written.
func testAlertsDelivered(t *testing.T, b *bed) {
	b.write(pool.Batch{Alerts: []pool.Alert{alert(1, 1), alert(2, 2)}, Delivered: []int64{2}})
	equal(t, "in one batch", b.alerts(), []pool.Alert{alert(1, 1)})

	b.write(pool.Batch{Alerts: []pool.Alert{alert(1, 3), alert(3, 4)}, Delivered: []int64{1}})
	equal(t, "replaced in one batch", b.alerts(), []pool.Alert{alert(3, 4)})
}

// testAlertsReopened removes the newest alert before the store is opened again,
// and then hands over one that is older.
func testAlertsReopened(t *testing.T, b *bed) {
	b.write(pool.Batch{Alerts: []pool.Alert{alert(5, 1), alert(9, 2)}})
	b.write(pool.Batch{Delivered: []int64{9}})
	b.reopen()
	equal(t, "alerts", b.alerts(), []pool.Alert{alert(5, 1)})
	b.write(pool.Batch{Alerts: []pool.Alert{alert(7, 3), alert(5, 4)}})
	b.reopen()
	equal(t, "alerts", b.alerts(), []pool.Alert{alert(5, 4), alert(7, 3)})
}
