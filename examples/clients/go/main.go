// Program go calls a URL through the forward front with nothing but net/http.
//
//	HTTPS_PROXY=http://app:secret@127.0.0.1:3128 go run . https://example.com
//	go run . -proxy http://app:secret@127.0.0.1:3128 https://example.com
//
// It prints the status and the body, and exits with 1 where the call failed or
// the answer is an error.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"
)

func main() {
	proxy := flag.String("proxy", "", "URL of the forward front (default: HTTPS_PROXY, for http:// URLs HTTP_PROXY)")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "expected one argument, the URL to call")
		os.Exit(2)
	}
	if err := run(*proxy, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(proxy, target string) error {
	client, err := newClient(proxy)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return errors.New("the URL to call is none") // and may hold a token
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("calling: %w", withoutURL(err))
	}
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode)
	if _, err := io.Copy(os.Stdout, resp.Body); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	fmt.Println()
	if resp.StatusCode >= http.StatusBadRequest {
		return errors.New("the answer is an error")
	}
	return nil
}

// newClient makes a client that goes through the proxy. Make one and keep it: it
// holds the connections.
//
// Without a proxy the environment is asked, which http.DefaultClient does, too:
// a program that uses that one changes no line. Mind that the environment is
// never asked for localhost and 127.0.0.1.
func newClient(proxy string) (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if proxy != "" {
		u, err := url.Parse(proxy)
		if err != nil {
			return nil, errors.New("the URL of the proxy is none") // and may hold a password
		}
		transport.Proxy = http.ProxyURL(u)
	}
	return &http.Client{Transport: transport}, nil
}

// withoutURL is what went wrong, without the URL around it: that may hold a token.
func withoutURL(err error) error {
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
