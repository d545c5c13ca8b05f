#!/usr/bin/env python3
"""Ask the pool which proxy to use, and use it with requests.

Copy get_active_proxy() into your program; it needs nothing but the standard
library. It is for code that must dial by itself. What is sent like that goes past
Caddy: it is not counted, and does not fail over. Where you can, set HTTPS_PROXY to
the forward front instead: see requests_via_proxy.py.

    python3 get_active_proxy.py https://example.com

For a SOCKS proxy, requests needs a package more: pip install 'requests[socks]'.
"""

import argparse
import json
import os
import sys
import urllib.parse
import urllib.request

# Caddy's admin endpoint, which listens on this machine alone.
ADMIN = os.environ.get("CADDY_ADMIN", "http://localhost:2019")


class NoProxyUsable(RuntimeError):
    """There is no proxy to use now, or nobody who knows one."""


def get_active_proxy(pool="", timeout=2.0):
    """The dict that requests takes as proxies=, with user and password.

    pool may be left out where there is one. {} is a good answer where the pool's
    active proxy is direct.

    Raises NoProxyUsable where no proxy is usable and where Caddy does not answer.
    Do not go on with {} then: to requests that means no proxy at all, and the call
    would leave from your own address.
    """
    url = f"{ADMIN}/proxy_pool/active?" + urllib.parse.urlencode({"pool": pool} if pool else {})
    # Without this, HTTP_PROXY would send the question to a proxy.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=timeout) as answer:
            # {} is the body both where no proxy is usable and for direct. The
            # header tells which: it names the proxy, and is there for direct, too.
            name = answer.headers.get("X-Proxy-Pool-Proxy")
            proxies = json.load(answer)
    except (OSError, ValueError) as error:
        raise NoProxyUsable(f"asking Caddy for a proxy: {error}") from error
    if name is None:
        raise NoProxyUsable("no proxy of the pool is usable now")
    return proxies


def main():
    import requests

    parser = argparse.ArgumentParser(description="Call a URL through the active proxy.")
    parser.add_argument("url")
    parser.add_argument("--pool", default="", help="default: the only one")
    args = parser.parse_args()
    try:
        proxies = get_active_proxy(args.pool)
    except NoProxyUsable as error:
        sys.exit(f"{type(error).__name__}: {error}")
    with requests.Session() as session:
        session.trust_env = False  # with {}, HTTPS_PROXY would be used
        session.verify = os.environ.get("REQUESTS_CA_BUNDLE", True)
        session.proxies = proxies
        try:
            answer = session.get(args.url, timeout=(10, 60))
        except requests.RequestException as error:
            # The text of the error may hold the URL, and that a token.
            sys.exit(f"calling the API: {type(error).__name__}")
    print(answer.status_code)
    print(answer.text)
    return 0 if answer.ok else 1


if __name__ == "__main__":
    sys.exit(main())
