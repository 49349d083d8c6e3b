// Line drawings, 16 units wide. They only go with words, so that nobody needs to see them.
const drawings = {
    alert: "M8 2 14.5 13.5h-13zM8 6.5v3M8 11.6v.01",
    check: "m3 8.5 3.2 3L13 4.5",
    chevron: "m4.5 6.5 3.5 3.5 3.5-3.5",
    close: "m4 4 8 8m0-8-8 8",
    copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
    groups: "M2 13c0-2.5 1.8-4 4-4s4 1.5 4 4M6 7a2.2 2.2 0 1 0 0-4.4A2.2 2.2 0 0 0 6 7m5-.2a2 2 0 0 0 0-4M11.8 9.2c1.4.4 2.4 1.7 2.4 3.8",
    key: "M7.6 8.4 13 3m-2.4 2.4 2 2M8.5 10.5a3 3 0 1 1-6 0 3 3 0 0 1 6 0z",
    list: "M5.5 4h8m-8 4h8m-8 4h8M2.5 4v.01M2.5 8v.01M2.5 12v.01",
    logOut: "M6.5 13.5h-4v-11h4M6.5 8h7m-2.5-3L14 8l-3 3",
    menu: "M2.5 4.5h11m-11 3.5h11m-11 3.5h11",
    minus: "M4 8h8",
    more: "M4 8a.7.7 0 1 1-1.4 0A.7.7 0 0 1 4 8zm4.7 0a.7.7 0 1 1-1.4 0 .7.7 0 0 1 1.4 0zm4.7 0a.7.7 0 1 1-1.4 0 .7.7 0 0 1 1.4 0z",
    organization: "M3 14V2.5h7V14m0-8h3v8M1.5 14h13M5.5 5.5h2m-2 3h2m-2 3h2",
    person: "M2.5 14c.3-3 2.5-4.5 5.5-4.5s5.2 1.5 5.5 4.5M8 7.5A2.7 2.7 0 1 0 8 2a2.7 2.7 0 0 0 0 5.5",
    plus: "M8 3v10M3 8h10",
    search: "M11.5 7a4.5 4.5 0 1 1-9 0 4.5 4.5 0 0 1 9 0zm-1.3 3.2 3.3 3.3",
    settings: "M2 5h7m4 0h1M2 11h1m4 0h7M11 3v4M5 9v4",
} as const;

export type IconName = keyof typeof drawings;

export function Icon({ name }: { name: IconName }) {
    return (
        <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
            <path d={drawings[name]} />
        </svg>
    );
}
