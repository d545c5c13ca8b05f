// Why things are as they are. The pools say it in few fixed words, which are put
// into the language here; what is not known stays as it is. The words are those of
// the alerts, and a test of theirs holds the two together.
import { t, current, ltr, number, dollars, bytes } from "./words.js";

const most = 3; // targets that are named

export const phrases = {
  en: {
    check: "a health check failed: {0}", answered: "a health check was answered with {0}", down: "down: {0}", blockedBy: "blocked by {0}",
    blocking: "{0} answered {1}", failingFor: "failing for {0}", spent: "its budget is spent: {0}", slow: "its last checks took more than {0}",
    "marked down": "an admin marked it down", "marked healthy": "an admin marked it healthy",
    "damping is over": "it was held back because it kept going down, and may be used again",
    used: "{0} of {1}", more: "and {0} more",
  },
  fa: {
    check: "بررسی سلامت ناموفق بود: {0}", answered: "بررسی سلامت جواب {0} گرفت", down: "از کار افتاده: {0}", blockedBy: "بلاک‌شده از طرف {0}",
    blocking: "{0} جواب {1} داد", failingFor: "به {0} نمی‌رسد", spent: "سقف بودجه‌اش پر شده: {0}", slow: "بررسی‌های آخرش بیش از {0} طول کشید",
    "marked down": "ادمین آن را down کرد", "marked healthy": "ادمین آن را healthy کرد",
    "damping is over": "چون مدام قطع می‌شد کنار گذاشته شده بود؛ حالا دوباره استفاده می‌شود",
    used: "{0} از {1}", more: "و {0} تای دیگر",
  },
};

export const codes = {
  en: {
    dial_refused: "connection refused",
    dial_timeout: "connecting timed out",
    dial_unreachable: "its address is unreachable",
    dial_failed: "connecting failed",
    dns_failed: "its host name is unknown",
    proxy_tls: "TLS with the proxy failed",
    proxy_auth: "wrong user or password",
    proxy_payment: "its account is empty",
    proxy_rate_limited: "the proxy limits the rate",
    proxy_silent: "it accepted the connection and never answered",
    proxy_dropped: "it hung up before the tunnel stood",
    proxy_nonsense: "it does not answer like a proxy",
    proxy_answer: "it sent an error page of its own",
    bad_proxy: "its configuration cannot be used",
    tunnel_refused: "it refused to connect to the target",
    loop: "it leads back to this Caddy",
    address_not_allowed: "the target's address is a private one",
    target_closed: "the target closed without an answer",
    bad_target: "the target cannot be asked for through it",
    target_tls: "TLS with the target failed",
    target_tls_timeout: "TLS with the target timed out",
    target_reset: "the connection to the target was reset",
    conn_reset: "the connection was reset",
    conn_closed: "the connection was closed",
    conn_timeout: "the other side acknowledges nothing any more",
    stream_reset: "the HTTP/2 stream was reset",
    stream_refused: "the target refused the HTTP/2 stream",
    send_failed: "sending failed",
    stale: "a kept connection had been closed",
    bad_request: "the request cannot be sent",
    request_header_too_large: "the header of the request is too large",
    malformed_response: "the answer was no proper HTTP",
    header_too_large: "the header of the answer is too large",
    broken_answer: "the answer broke off half-way",
    silent: "the answer stayed away, and so did a probe's",
    response_timeout: "no answer in time",
    timeout: "it took too long",
    idle_timeout: "nothing moved in the tunnel for too long",
    tunnel_grace: "the tunnel's time after a reload was over",
    not_allowed: "the new configuration does not allow the tunnel",
    cheaper_proxy: "a cheaper proxy works again",
    stopped: "Caddy was stopped",
    blocked: "the answer matched a block rule",
    overdue: "it was slow to connect, and the next proxy overtook it",
    budget_spent: "its hard budget is spent",
    client_gone: "the app hung up",
    canceled: "the app hung up before the answer came",
    crowded: "too many requests were waiting",
    no_proxy: "no proxy was usable",
    error: "something else went wrong",
  },
  fa: {
    dial_refused: "اتصال رد شد",
    dial_timeout: "اتصال تایم‌اوت شد",
    dial_unreachable: "آدرس پروکسی در دسترس نیست",
    dial_failed: "اتصال برقرار نشد",
    dns_failed: "دامنهٔ پروکسی پیدا نشد",
    proxy_tls: "TLS با پروکسی برقرار نشد",
    proxy_auth: "نام کاربری یا رمز اشتباه است",
    proxy_payment: "اعتبار پروکسی تمام شده",
    proxy_rate_limited: "پروکسی تعداد درخواست‌ها را محدود کرده",
    proxy_silent: "پروکسی اتصال را قبول کرد ولی جواب نداد",
    proxy_dropped: "پروکسی قبل از برقراری تونل قطع کرد",
    proxy_nonsense: "جوابش شبیه پروکسی نیست",
    proxy_answer: "پروکسی صفحهٔ خطای خودش را فرستاد",
    bad_proxy: "تنظیمات پروکسی قابل استفاده نیست",
    tunnel_refused: "پروکسی اتصال به مقصد را قبول نکرد",
    loop: "این پروکسی به خود همین Caddy برمی‌گردد",
    address_not_allowed: "آدرس مقصد خصوصی است",
    target_closed: "مقصد بدون جواب اتصال را بست",
    bad_target: "پروکسی این مقصد را پشتیبانی نمی‌کند",
    target_tls: "TLS با مقصد برقرار نشد",
    target_tls_timeout: "TLS با مقصد تایم‌اوت شد",
    target_reset: "اتصال به مقصد ریست شد",
    conn_reset: "اتصال ریست شد",
    conn_closed: "اتصال بسته شد",
    conn_timeout: "طرف مقابل دیگر هیچ پاسخی نمی‌دهد",
    stream_reset: "استریم HTTP/2 ریست شد",
    stream_refused: "مقصد استریم HTTP/2 را قبول نکرد",
    send_failed: "ارسال درخواست ناموفق بود",
    stale: "اتصال قبلی بسته شده بود",
    bad_request: "این درخواست را نمی‌شود فرستاد",
    request_header_too_large: "هدر درخواست زیادی بزرگ است",
    malformed_response: "جواب HTTP معتبری نیامد",
    header_too_large: "هدر جواب زیادی بزرگ است",
    broken_answer: "جواب نصفه قطع شد",
    silent: "جوابی نیامد و تست مسیر هم جواب نگرفت",
    response_timeout: "جواب به‌موقع نرسید",
    timeout: "زیادی طول کشید",
    idle_timeout: "مدت زیادی در تونل چیزی رد و بدل نشد",
    tunnel_grace: "مهلت تونل بعد از reload تمام شد",
    not_allowed: "تنظیمات جدید این تونل را مجاز نمی‌داند",
    cheaper_proxy: "پروکسی ارزان‌تری دوباره کار می‌کند",
    stopped: "Caddy متوقف شد",
    blocked: "جواب با یکی از شرط‌های block مطابقت داشت",
    overdue: "دیر وصل شد و پروکسی بعدی جلو افتاد",
    budget_spent: "سقف بودجهٔ hard پر شده",
    client_gone: "برنامه اتصال را قطع کرد",
    canceled: "برنامه قبل از رسیدن جواب قطع کرد",
    crowded: "درخواست‌های زیادی در صف بودند",
    no_proxy: "هیچ پروکسی قابل استفاده‌ای نبود",
    error: "خطای دیگری پیش آمد",
  },
};

const say = (key, ...values) => phrases[current()][key].replace(/\{(\d)\}/g, (_, i) => values[i]);

const beginnings = [
  ["check: answered ", "answered", ltr], ["check: ", "check", reason], ["down: ", "down", reason],
  ["blocked by ", "blockedBy", targets], ["failing for ", "failingFor", targets],
  ["budget spent: ", "spent", budget], ["its last checks took more than ", "slow", limit],
];

// reason says a reason in the language, with the code that logs and documentation
// have, if there is one.
export function reason(text) {
  if (!text) return "";
  if (Object.hasOwn(codes[current()], text)) return `${codes[current()][text]} (${ltr(text)})`;
  if (text.startsWith("marked ") || text === "damping is over") return phrases[current()][text] ?? ltr(text);
  for (const [beginning, key, rest] of beginnings) {
    if (text.startsWith(beginning)) return say(key, rest(text.slice(beginning.length)));
  }
  const answer = /^(\S+:\d+) answered (\d+)$/.exec(text);
  return answer ? say("blocking", ltr(answer[1]), ltr(answer[2])) : ltr(text);
}

// warning says a warning in the language.
export function warning(text) {
  const found = /^pool (.*): health checks fail through every proxy while traffic flows; look at the check URLs$/.exec(text);
  return found ? t("checksFailing", ltr(found[1])) : ltr(text);
}

// targets are the first of a list of "host:port", and how many more there are.
export function targets(all) {
  const list = typeof all === "string" ? all.split(", ") : all;
  const named = list.slice(0, most).map(ltr).join(t("comma"));
  return list.length > most ? named + " " + say("more", number(list.length - most)) : named;
}

function budget(text) {
  const found = /^([\d.]+) (USD|MB|GB) of ([\d.]+) (USD|MB|GB) (?:a (day|month)|in total)$/.exec(text);
  if (!found) return ltr(text);
  const amount = (n, unit) => unit === "USD" ? dollars(n) : bytes(n * 2 ** (unit === "MB" ? 20 : 30));
  return say("used", amount(+found[1], found[2]), amount(+found[3], found[4])) + " " + t("per_" + (found[5] || "total"));
}

// limit is a duration as Go writes it.
function limit(text) {
  const found = /^([\d.]+)(ms|s|m|h)$/.exec(text);
  if (!found) return ltr(text);
  return t(found[2], number(+found[1], 1));
}
