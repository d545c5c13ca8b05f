// Package browsertest looks at the dashboard with a real browser: a Caddy with
// the module, proxies in every status, and Chromium. It is a module of its own,
// so that the driver of the browser is nobody else's dependency. Screenshots are
// written to .build/screenshots.
package browsertest
