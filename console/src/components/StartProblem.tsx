import type { AnyProblem } from "../api/problem";
import { Button } from "./Button";
import { ProblemNote } from "./ProblemNote";

// The console cannot start.
export function StartProblem({ problem }: { problem: AnyProblem }) {
    return (
        <main class="centered">
            <div class="card">
                <h1>The console cannot start</h1>
                <ProblemNote problem={problem} />
                <Button kind="primary" onClick={() => window.location.reload()}>
                    Try again
                </Button>
            </div>
        </main>
    );
}
