// How long a token is to live: what the dialogs offer, and what of it the policy lets through.
import type { Policy } from "../api/schema";
import { dateOf, dayOf, durationText, endOfDay, secondsOf } from "../text/time";

export type Expiry =
    | { kind: "preset"; duration: string }
    | { kind: "date"; day: string }
    | { kind: "never" }
    // As it is.
    | { kind: "keep" };

const usual = ["7d", "30d", "60d", "90d", "365d"];
const usualDefault = "90d";

// Milliseconds; null: no limit. Of a token that exists, from its creation on.
export function latestExpiry(policy: Policy, created: number): number | null {
    return policy.max_life === null ? null : created + secondsOf(policy.max_life) * 1000;
}

// The lives to choose from: the usual ones, and what the policy names.
export function presetsOf(policy: Policy, limit: number | null, now: number): string[] {
    const named = [...usual];
    const default_ = defaultLife(policy);
    if (!named.some((each) => secondsOf(each) === secondsOf(default_))) {
        named.push(default_);
    }
    return named
        .filter((each) => limit === null || now + secondsOf(each) * 1000 <= limit)
        .sort((a, b) => secondsOf(a) - secondsOf(b));
}

// What a token gets whose maker chooses nothing.
export function defaultLife(policy: Policy): string {
    const life = policy.default_life ?? usualDefault;
    const longest = policy.max_life;
    return longest !== null && secondsOf(life) > secondsOf(longest) ? longest : life;
}

export function presetLabel(duration: string): string {
    return duration === "365d" ? "1 year" : durationText(duration);
}

// The last day whose end is not too late; undefined: any.
export function lastDay(limit: number | null): string | undefined {
    if (limit === null) {
        return undefined;
    }
    const day = dayOf(limit);
    return Date.parse(endOfDay(day)) <= limit ? day : dayOf(limit - 86400_000);
}

// As the API takes it; undefined: leave it as it is.
export function expiresOf(expiry: Expiry): string | null | undefined {
    switch (expiry.kind) {
        case "preset":
            return expiry.duration;
        case "date":
            return endOfDay(expiry.day);
        case "never":
            return null;
        case "keep":
            return undefined;
    }
}

// In words, for below the choice.
export function expirySentence(expiry: Expiry, now: number): string {
    switch (expiry.kind) {
        case "preset":
            return `It expires on ${dateOf(now + secondsOf(expiry.duration) * 1000)}.`;
        case "date":
            return expiry.day
                ? `It expires at the end of ${dateOf(endOfDay(expiry.day))}, your time.`
                : "It expires at the end of that day, your time.";
        case "never":
        case "keep":
            return "";
    }
}

export function keptLabel(expires: string | null): string {
    return expires === null ? "Never, as now" : `${dateOf(expires)}, as now`;
}
