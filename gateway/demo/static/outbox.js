// Times: how long ago in the page, exact and in the reader's own zone on hover. Without it they stand in UTC.

const STEPS = [["second", 60], ["minute", 60], ["hour", 24], ["day", 7]];
const locale = document.documentElement.lang;

function relative(at) {
  let amount = Math.min(0, Math.round((at - Date.now()) / 1000));
  const format = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  for (const [unit, size] of STEPS) {
    if (-amount < size) return format.format(unit === "second" && amount > -10 ? 0 : amount, unit);
    amount = Math.ceil(amount / size);
  }
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium" }).format(at);
}

function tick() {
  for (const time of document.querySelectorAll("time")) {
    const at = Date.parse(time.dateTime);
    time.textContent = relative(at);
    time.title = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "long" }).format(at);
  }
}

tick();
setInterval(tick, 20000);
