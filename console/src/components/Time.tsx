import { exactTime, relativeTime } from "../text/time";

// How long ago or in how long; the exact time at hand for the mouse and for programs.
export function Time({ at, none }: { at: string | null; none: string }) {
    if (at === null) {
        return <span class="muted">{none}</span>;
    }
    return (
        <time dateTime={at} title={exactTime(at)}>
            {relativeTime(at)}
        </time>
    );
}
