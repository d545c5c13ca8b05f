// Call a URL through the forward front from Node.js.
//
//   HTTPS_PROXY=http://app:secret@127.0.0.1:3128 node fetch.mjs https://example.com
//
// Node's fetch() does not look at HTTPS_PROXY by itself. Three ways, best first:
//
//   1. Node 22.21 and 24 upwards: start it with NODE_USE_ENV_PROXY=1, or with
//      --use-env-proxy, and change no line of code.
//   2. Older Node: npm install undici, and use its fetch with EnvHttpProxyAgent.
//   3. Without any package: ask the front for a tunnel, and speak HTTPS in it.
//
// This program takes the first that is there. Copy the one that you need. It
// prints the status and the body, and exits with 1 where the call failed or the
// answer is an error. (A private CA is trusted with NODE_EXTRA_CA_CERTS.)

import http from "node:http";
import https from "node:https";

const timeout = 90_000; // milliseconds; the front may try several proxies in them

// Way 1. An older Node ignores the variable, and would call without any proxy.
function proxyIsBuiltIn() {
  return (
    process.allowedNodeEnvironmentFlags.has("--use-env-proxy") &&
    (process.env.NODE_USE_ENV_PROXY === "1" ||
      process.execArgv.includes("--use-env-proxy"))
  );
}

// Way 2.
async function undiciFetch() {
  let undici;
  try {
    undici = await import("undici");
  } catch {
    return undefined; // not installed
  }
  if (!undici.EnvHttpProxyAgent) return undefined; // before 6.14
  const dispatcher = new undici.EnvHttpProxyAgent();
  return (url, options) => undici.fetch(url, { ...options, dispatcher });
}

// Way 3. http:// URLs go to the front as they are, the others in a tunnel.
async function plainFetch(url) {
  const variable = url.protocol === "http:" ? "HTTP_PROXY" : "HTTPS_PROXY";
  const proxy = process.env[variable.toLowerCase()] || process.env[variable];
  if (!proxy) throw new Error(`${variable} is not set`);
  const front = new URL(proxy);
  const headers = { Host: url.host };
  if (front.username) {
    const login = [front.username, front.password].map(decodeURIComponent);
    headers["Proxy-Authorization"] =
      "Basic " + Buffer.from(login.join(":")).toString("base64");
  }
  const toFront = {
    host: front.hostname.replace(/^\[|\]$/g, ""),
    port: front.port || 80,
    headers,
    timeout,
    agent: false,
  };
  if (url.protocol === "http:") {
    return answer(http.get({ ...toFront, path: url.href }));
  }
  const target = `${url.hostname}:${url.port || 443}`;
  headers.Host = target;
  const socket = await tunnel(
    http.request({ ...toFront, method: "CONNECT", path: target }),
  );
  // The login was for the front: it is not sent into the tunnel.
  return answer(https.get(url, { socket, agent: false, timeout }));
}

function tunnel(request) {
  return new Promise((resolve, reject) => {
    request.on("connect", (response, socket) => {
      if (response.statusCode === 200) return resolve(socket);
      socket.destroy();
      // 403: not on the allow list. 407: wrong login. 502 to 504: no proxy works.
      reject(new Error(`the front answered CONNECT with ${response.statusCode}`));
    });
    request.on("timeout", () => request.destroy(new Error("timed out")));
    request.on("error", reject);
    request.end();
  });
}

function answer(request) {
  return new Promise((resolve, reject) => {
    request.on("response", (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({
          status: response.statusCode,
          text: async () => Buffer.concat(chunks).toString(),
        }),
      );
    });
    request.on("timeout", () => request.destroy(new Error("timed out")));
    request.on("error", reject);
  });
}

const [url] = process.argv.slice(2);
if (!URL.canParse(url ?? "")) {
  console.error("expected one argument, the URL to call");
  process.exit(2);
}
try {
  const call = proxyIsBuiltIn() ? fetch : (await undiciFetch()) ?? plainFetch;
  const response = await call(new URL(url), {
    signal: AbortSignal.timeout(timeout),
  });
  console.log(response.status);
  console.log(await response.text());
  process.exitCode = response.status < 400 ? 0 : 1;
} catch (error) {
  let cause = error;
  while (cause.cause) cause = cause.cause; // fetch() alone says "fetch failed"
  console.error(`calling: ${cause.message}`);
  process.exitCode = 1;
}
