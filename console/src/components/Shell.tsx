import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Link, useLocation } from "wouter-preact";
import { accountSection, organizationEntries, systemSection, type Entry, type OrganizationEntry } from "../navigation";
import { logOut, useSession } from "../session";
import { asProblem } from "../api/problem";
import { Badge } from "./Badge";
import { Icon } from "./Icon";
import { notify, Toasts } from "./Toasts";

// The frame of all pages: navigation beside the page, or above it where it is narrow.
export function Shell({ children }: { children: ComponentChildren }) {
    const [path] = useLocation();
    const [open, setOpen] = useState(false);
    useEffect(() => setOpen(false), [path]);
    return (
        <div class="shell">
            <a class="skip" href="#main" onClick={skip}>
                Skip to the page
            </a>
            <header class="top">
                <Link href="/" class="brand">
                    <Icon name="key" /> Tokens
                </Link>
                <button
                    type="button"
                    class="icon-button menu-button"
                    aria-expanded={open}
                    aria-controls="navigation"
                    onClick={() => setOpen(!open)}
                >
                    <Icon name={open ? "close" : "menu"} />
                    <span class="hidden">Navigation</span>
                </button>
            </header>
            <Navigation open={open} />
            <main id="main" tabIndex={-1}>
                {children}
            </main>
            <Toasts />
        </div>
    );
}

// Not by the address: the router's path would change.
function skip(event: Event): void {
    event.preventDefault();
    document.getElementById("main")?.focus();
}

function Navigation({ open }: { open: boolean }) {
    const { me } = useSession();
    const [path] = useLocation();
    const current = /^\/organizations\/([^/]+)/.exec(path)?.[1] ?? null;
    const organizations = organizationEntries(me, current && decodeURIComponent(current));
    return (
        <nav id="navigation" class={open ? "navigation open" : "navigation"} aria-label="Console">
            <NavigationSection title={accountSection.title} entries={accountSection.entries} />
            {organizations.length > 0 && (
                <section>
                    <h2>Organizations</h2>
                    {organizations.map((each) => (
                        <Organization key={each.id} organization={each} open={organizations.length === 1 || each.id === current} />
                    ))}
                </section>
            )}
            {me.system && <NavigationSection title={systemSection.title} entries={systemSection.entries} />}
            <footer>
                <span class="who" title={me.user}>
                    {me.display_name ?? me.user}
                </span>
                <button type="button" class="nav-link" onClick={() => void leave()}>
                    <Icon name="logOut" />
                    <span>Log out</span>
                </button>
            </footer>
        </nav>
    );
}

async function leave(): Promise<void> {
    try {
        await logOut();
    } catch (error) {
        notify(asProblem(error).message);
    }
}

function NavigationSection({ title, entries }: { title: string; entries: Entry[] }) {
    return (
        <section>
            <h2>{title}</h2>
            <Entries entries={entries} />
        </section>
    );
}

function Organization({ organization, open }: { organization: OrganizationEntry; open: boolean }) {
    return (
        <>
            <Link
                href={organization.path}
                class={open ? "nav-link organization open" : "nav-link organization"}
                title={organization.id}
            >
                <Icon name="organization" />
                <span>{organization.name}</span>
                {organization.suspended && <Badge tone="warn">suspended</Badge>}
            </Link>
            {open && <Entries entries={organization.entries} />}
        </>
    );
}

function Entries({ entries }: { entries: Entry[] }) {
    const [path] = useLocation();
    return (
        <ul>
            {entries.map((entry) => (
                <li key={entry.path}>
                    <Link
                        href={entry.path}
                        class="nav-link"
                        aria-current={entry.path === path ? "page" : undefined}
                        title={entry.label}
                    >
                        <Icon name={entry.icon} />
                        <span>{entry.label}</span>
                    </Link>
                </li>
            ))}
        </ul>
    );
}
