import type { ComponentChildren } from "preact";
import { ApiProblem, type AnyProblem } from "../api/problem";
import { Icon } from "./Icon";

interface Props {
    problem: AnyProblem | null;
    // The fields that show their own errors; all others are listed here.
    fields?: readonly string[];
    // What to do about it: a button.
    children?: ComponentChildren;
}

export function ProblemNote({ problem, fields = [], children }: Props) {
    if (!problem) {
        return null;
    }
    const others =
        problem instanceof ApiProblem
            ? [...problem.fields].filter(([field]) => !fields.includes(field))
            : [];
    const scopes = problem instanceof ApiProblem ? problem.scopes : [];
    return (
        <div class="note bad" role="alert" tabIndex={-1}>
            <Icon name="alert" />
            <div>
                <p>{problem.message}</p>
                {(others.length > 0 || scopes.length > 0) && (
                    <ul>
                        {others.map(([field, detail]) => (
                            <li key={field}>
                                <code>{field}</code>: {detail}
                            </li>
                        ))}
                        {scopes.map((scope) => (
                            <li key={scope}>
                                <code>{scope}</code>
                            </li>
                        ))}
                    </ul>
                )}
                {children}
            </div>
        </div>
    );
}
