import { useEffect } from "preact/hooks";
import { useLocation, useSearch } from "wouter-preact";
import { Icon } from "../components/Icon";
import { LogInForm } from "../components/LogInForm";

export function LogInPage() {
    const [, navigate] = useLocation();
    const next = new URLSearchParams(useSearch()).get("next");
    useEffect(() => {
        document.title = "Log in";
    }, []);
    return (
        <main class="centered">
            <div class="card">
                <p class="brand">
                    <Icon name="key" /> Tokens
                </p>
                <h1>Log in</h1>
                <LogInForm user={null} onDone={() => navigate(pathOf(next), { replace: true })} />
            </div>
        </main>
    );
}

// Only ever a page of this console: "//example.org" and "/\example.org" would be another site.
function pathOf(next: string | null): string {
    return next && /^\/(?![/\\])/.test(next) ? next : "/";
}
