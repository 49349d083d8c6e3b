import type { ComponentChildren } from "preact";
import type { Token } from "../api/schema";
import { Badge } from "../components/Badge";
import { Time } from "../components/Time";
import { createdWords, shownId, statusWords } from "./words";

interface Props {
    token: Token;
    // With what a form beside it would show.
    all?: boolean;
}

// What is known of a token.
export function TokenFacts({ token, all }: Props) {
    const { label, tone } = statusWords[token.status];
    return (
        <dl class="facts">
            <Fact name="Token">
                <code class="break">{shownId(token)}</code>
            </Fact>
            <Fact name="Status">
                <Badge tone={tone}>{label}</Badge>
                {token.revoked !== null && (
                    <>
                        {" "}
                        <Time at={token.revoked} none="" />
                    </>
                )}
            </Fact>
            {all && token.description !== "" && <Fact name="Description">{token.description}</Fact>}
            {all && token.role !== null && <Fact name="Role">{token.role}</Fact>}
            <Fact name="Acts for">{token.user}</Fact>
            <Fact name="Created">
                <Time at={token.created} none="Not known" />
                {createdWords(token)}
            </Fact>
            {token.not_before !== null && (
                <Fact name="Valid from">
                    <Time at={token.not_before} none="" />
                </Fact>
            )}
            <Fact name="Expires">
                <Time at={token.expires} none="Never" />
            </Fact>
            <Fact name="Last used">
                <Time at={token.last_used} none="Never" />
                {token.last_used_from !== null && ` from ${token.last_used_from}`}
            </Fact>
            {token.effective_scopes !== null && (
                <Fact name="May do">
                    {token.effective_scopes.length === 0 ? "Nothing" : <code>{token.effective_scopes.join(" ")}</code>}
                </Fact>
            )}
            {all && token.allow.length > 0 && (
                <Fact name="Allowed from">
                    <code>{token.allow.join(" ")}</code>
                </Fact>
            )}
            {token.predecessor !== null && <Fact name="Replaces">{token.predecessor}</Fact>}
            {token.successor !== null && <Fact name="Replaced by">{token.successor}</Fact>}
        </dl>
    );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
    return (
        <>
            <dt>{name}</dt>
            <dd class="break">{children}</dd>
        </>
    );
}
