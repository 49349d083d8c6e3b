// Times as people read them, in the browser's time zone.

// From which length on in which unit: days until there are two months of them.
const units: [Intl.RelativeTimeFormatUnit, number, number][] = [
    ["year", 365 * 86400, 2],
    ["month", 30.4 * 86400, 2],
    ["day", 86400, 1],
    ["hour", 3600, 1],
    ["minute", 60, 1],
];
const relative = new Intl.RelativeTimeFormat("en");
const exact = new Intl.DateTimeFormat("en", {
    dateStyle: "long",
    timeStyle: "long",
});
const date = new Intl.DateTimeFormat("en", { dateStyle: "long" });

export function relativeTime(at: string, now = Date.now()): string {
    const seconds = (Date.parse(at) - now) / 1000;
    for (const [unit, length, least] of units) {
        const count = Math.round(seconds / length);
        if (Math.abs(count) >= least) {
            return relative.format(count, unit);
        }
    }
    return seconds > 0 ? "in less than a minute" : "just now";
}

export function exactTime(at: string): string {
    return exact.format(new Date(at));
}

export function dateOf(at: string | number): string {
    return date.format(new Date(at));
}

const lengths: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };
const names: Record<string, string> = { s: "second", m: "minute", h: "hour", d: "day", w: "week" };

// "90d" in seconds.
export function secondsOf(duration: string): number {
    return Number(duration.slice(0, -1)) * (lengths[duration.slice(-1)] ?? 1);
}

// "90d" as "90 days".
export function durationText(duration: string): string {
    const count = duration.slice(0, -1);
    const name = names[duration.slice(-1)] ?? "";
    return `${count} ${name}${count === "1" ? "" : "s"}`;
}

// The last second of a day, "2027-01-31", where the browser is, as the API takes it.
export function endOfDay(day: string): string {
    const [year = 0, month = 1, date = 1] = day.split("-").map(Number);
    return apiTime(new Date(year, month - 1, date, 23, 59, 59).getTime());
}

export function apiTime(milliseconds: number): string {
    return new Date(milliseconds).toISOString().replace(/\.\d+Z$/, "Z");
}

// The day of a time where the browser is, as date fields have it.
export function dayOf(milliseconds: number): string {
    const at = new Date(milliseconds);
    const two = (value: number) => String(value).padStart(2, "0");
    return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}
