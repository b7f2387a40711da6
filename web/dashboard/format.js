// Numbers, times and data as people read them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const fine = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

export const count = (number) => (number < 10000 ? whole.format(number) : compact.format(number));

export const rate = (number) => `${number > 0 && number < 10 ? fine.format(number) : count(number)}/s`;

export function bytes(number) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  let left = number;
  while (left >= 1024 && unit < units.length - 1) {
    left /= 1024;
    unit += 1;
  }
  return `${left < 100 && unit > 0 ? fine.format(left) : whole.format(left)} ${units[unit]}`;
}

export function micros(number) {
  if (number < 1000) return `${fine.format(number)} µs`;
  if (number < 1e6) return `${fine.format(number / 1000)} ms`;
  return `${fine.format(number / 1e6)} s`;
}

/** The two largest units of a span of ms. */
export function span(ms) {
  const seconds = Math.floor(ms / 1000);
  const [minutes, hours, days] = [60, 3600, 86400].map((unit) => Math.floor(seconds / unit));
  if (days) return `${days} d ${hours % 24} h`;
  if (hours) return `${hours} h ${minutes % 60} min`;
  if (minutes) return `${minutes} min ${seconds % 60} s`;
  return `${seconds} s`;
}

/** `12:34:56.789` */
export function clock(date) {
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes, seconds] = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two);
  return `${hours}:${minutes}:${seconds}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** `text` with line breaks, if it is JSON. */
export function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return undefined;
  }
}

export const many = (number, one, more = `${one}s`) => `${count(number)} ${number === 1 ? one : more}`;
