/** Times, durations and amounts in words, in the reader's own zone. */

import { texts } from "./texts.js";

const LANGUAGE = document.documentElement.lang;
const CLOCK = new Intl.DateTimeFormat(LANGUAGE, { timeStyle: "medium", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "medium" });
const WHOLE = new Intl.DateTimeFormat(LANGUAGE, {
  dateStyle: "full",
  timeStyle: "long",
  hourCycle: "h23",
});
const NUMBER = new Intl.NumberFormat(LANGUAGE, { maximumFractionDigits: 2 });

/** Writes a time so that texts compare as the times do. @param {string} moment in UTC, or empty */
export function stamp(moment) {
  if (!moment) return "";
  const [whole, part = ""] = moment.replace(/Z$/, "").split(".");
  return `${whole}.${part.padEnd(6, "0")}`;
}

/** @param {string} moment @param {number} nowMs */
export function clockTime(moment, nowMs) {
  const at = new Date(moment);
  const isToday = DAY.format(at) === DAY.format(nowMs);
  return isToday ? CLOCK.format(at) : `${DAY.format(at)}, ${CLOCK.format(at)}`;
}

/** Boards ask for the same ones every second. @type {Map<string, string>} */
const wholeTimes = new Map();
const MOST_WHOLE_TIMES = 5_000;

/** @param {string} moment */
export function wholeTime(moment) {
  let text = wholeTimes.get(moment);
  if (text === undefined) {
    if (wholeTimes.size >= MOST_WHOLE_TIMES) wholeTimes.clear();
    text = WHOLE.format(new Date(moment));
    wholeTimes.set(moment, text);
  }
  return text;
}

/** @param {number} ms */
export function duration(ms) {
  const s = Math.max(0, ms) / 1000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 99.5) return `${Math.round(s)} s`;
  const minutes = Math.floor(Math.round(s) / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(s) % 60} s`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`;
}

/** Like `duration`, for clocks that run: whole seconds. @param {number} ms */
export function roundDuration(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  return s < 10 ? `${s} s` : duration(s * 1000);
}

/** @param {string} moment @param {number} nowMs */
export function age(moment, nowMs) {
  const ms = nowMs - Date.parse(moment);
  if (ms < 5_000) return texts.justNow;
  if (ms < 60_000) return texts.ago(`${Math.floor(ms / 5_000) * 5} s`);
  if (ms < 3_600_000) return texts.ago(`${Math.floor(ms / 60_000)} min`);
  if (ms < 172_800_000) return texts.ago(`${Math.floor(ms / 3_600_000)} h`);
  return texts.ago(`${Math.floor(ms / 86_400_000)} d`);
}

/** @param {string} moment @param {number} nowMs */
export function until(moment, nowMs) {
  const ms = Date.parse(moment) - nowMs;
  return ms > 0 ? texts.inTime(roundDuration(ms)) : texts.anyMoment;
}

/** @param {number} amount */
export function number(amount) {
  return NUMBER.format(amount);
}

/** @param {number} bytes */
export function size(bytes) {
  return bytes < 1_000_000 ? `${number(Math.ceil(bytes / 1000))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** An operation or provider as a name for people. @param {string} name */
export function title(name) {
  const words = name.replaceAll("-", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Returns the URL if it is one that may be followed. @param {unknown} text */
export function webUrl(text) {
  if (typeof text !== "string" || !/^https?:\/\//i.test(text) || !URL.canParse(text)) return null;
  return text;
}
