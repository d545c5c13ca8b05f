// What is said and how numbers look, in the language and digits that were chosen.
import { texts } from "./texts.js";

const kept = (key) => { try { return localStorage.getItem("proxy-pool-" + key); } catch { return null; } };
export const keep = (key, value) => { try { localStorage.setItem("proxy-pool-" + key, value); } catch { /* private window */ } };
export const choice = kept;

let language = texts[kept("language")] ? kept("language") : (navigator.language || "en").startsWith("fa") ? "fa" : "en";
let persian = kept("digits") !== "latin";

export const current = () => language;
export const words = () => texts[language];
export const hasPersianDigits = () => language === "fa" && persian;
export function setLanguage(to) { language = to; keep("language", to); }
export function toggleDigits() { persian = !persian; keep("digits", persian ? "persian" : "latin"); }

const locale = () => language === "fa" ? (persian ? "fa-IR-u-nu-arabext" : "fa-IR-u-nu-latn") : "en-GB";
const formats = new Map();
function format(kind, digits, least = 0) {
  const key = locale() + kind + digits + "/" + least;
  if (!formats.has(key)) {
    formats.set(key, kind === "number"
      ? new Intl.NumberFormat(locale(), { maximumFractionDigits: digits, minimumFractionDigits: least })
      : new Intl.DateTimeFormat(locale(), { dateStyle: "short", timeStyle: "medium" }));
  }
  return formats.get(key);
}

export function t(key, ...values) {
  const text = texts[language][key] ?? texts.en[key] ?? key;
  return text.replace(/\{(\d)\}/g, (_, i) => values[i] ?? "");
}
// ltr keeps apart what is read from left to right in every language.
export const ltr = (text) => "\u2066" + text + "\u2069";
export const number = (n, digits = 0) => format("number", digits).format(n);

// percent rounds down, so that what is 95 % is green and 94.99 % does not look so.
export function percent(n) {
  const digits = n >= 99.9 || n < 10 ? 2 : 1;
  return number(Math.floor(n * 10 ** digits + 1e-6) / 10 ** digits, digits) + (language === "fa" && persian ? "٪" : "%");
}

// decimals is how many tell steps on an axis apart, at least so many where it takes any.
function decimals(step, least) {
  let digits = step < 1 ? least : 0;
  while (digits < 6 && Math.abs(step * 10 ** digits / Math.round(step * 10 ** digits) - 1) > 1e-6) digits++;
  return digits;
}
// dollars and millis know the step where they are of an axis.
export function dollars(n, step = 0) {
  const least = 0.0001, little = !step && n > 0 && n < least; // not shown as nothing
  const digits = step ? decimals(step, 2) : Math.abs(n) >= 1000 ? 0 : Math.abs(n) >= 0.01 || n === 0 ? 2 : 4;
  return ltr((little ? "<$" : "$") + format("number", digits, digits).format(little ? least : n));
}
export const clock = (time) => format("time", 0).format(new Date(time));
// moments are what is said of a time on a plot. A day is told in UTC: it is one of
// the server's calendar.
const moments = {
  hour: { dateStyle: "medium", timeStyle: "short" }, clock: { hour: "2-digit", minute: "2-digit" },
  day: { dateStyle: "medium", timeZone: "UTC" }, date: { day: "numeric", month: "short", timeZone: "UTC" },
};
export function moment(time, kind) {
  const key = locale() + kind;
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(locale(), moments[kind]));
  return formats.get(key).format(new Date(time));
}
export const millis = (ms, step = 0) => {
  if (ms >= 10000) return t("s", number(ms / 1000, 1));
  const digits = step ? decimals(step, 1) : 0;
  return t("ms", format("number", digits, digits).format(ms));
};
export function bytes(n) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let i = 0;
  for (; n >= 1024 && i < units.length - 1; i++) n /= 1024;
  return ltr(number(n, n < 10 && i > 0 ? 1 : 0) + " " + units[i]);
}
export function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 90) return t("s", number(s));
  if (s < 5400) return t("m", number(Math.round(s / 60)));
  if (s < 129600) return t("h", number(Math.round(s / 3600)));
  return t("d", number(Math.round(s / 86400)));
}
