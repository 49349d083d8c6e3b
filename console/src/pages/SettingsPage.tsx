import { useState } from "preact/hooks";
import { useLocation } from "wouter-preact";
import { call, type Answer } from "../api/client";
import type { Organization, Policy } from "../api/schema";
import { useEdit, useRebase } from "../api/useEdit";
import { Button } from "../components/Button";
import { ConflictNote } from "../components/ConflictNote";
import { Confirm } from "../components/Confirm";
import { DeleteAll } from "../components/DeleteAll";
import { Field } from "../components/Field";
import { Note } from "../components/Note";
import { PageHead } from "../components/PageHead";
import { draftOf as policyDraftOf, PolicyFields, policyFieldNames, policyFrom, type PolicyDraft } from "../components/PolicyFields";
import { ProblemNote } from "../components/ProblemNote";
import { Time } from "../components/Time";
import { notify } from "../components/Toasts";
import { useSubmit } from "../components/useSubmit";
import { useSession } from "../session";
import { durationText } from "../text/time";

// An organization's name and policy; the system changes them.
export function SettingsPage({ organization: id }: { organization: string }) {
    const { me } = useSession();
    const edit = useEdit(() => call("get", "/api/v1/organizations/{org}", { path: { org: id } }));
    const { base } = edit;
    return (
        <>
            <PageHead title="Settings" place={base?.display_name ?? id} />
            <ProblemNote problem={edit.problem} />
            {base?.suspended && (
                <Note tone="warn">
                    <p>This organization is suspended: its tokens are refused.</p>
                </Note>
            )}
            {base && (
                <>
                    <section class="card" aria-labelledby="organization">
                        <h2 id="organization">Organization</h2>
                        <dl class="facts">
                            <dt>Id</dt>
                            <dd class="break">{base.id}</dd>
                            <dt>Created</dt>
                            <dd>
                                <Time at={base.created} none="not known" />
                            </dd>
                        </dl>
                        {me.system ? <Form edit={edit} first={base} /> : <Facts policy={base.policy} />}
                    </section>
                    {me.system && !base.system && <Danger organization={base} />}
                </>
            )}
        </>
    );
}

function Facts({ policy }: { policy: Policy }) {
    return (
        <>
            <h3>Rules for new tokens</h3>
            <dl class="facts">
                <dt>Longest life</dt>
                <dd>{policy.max_life ? durationText(policy.max_life) : "not limited"}</dd>
                <dt>If none is chosen</dt>
                <dd>{durationText(policy.default_life ?? "90d")}</dd>
                <dt>Allowed addresses</dt>
                <dd>{policy.require_allow ? "must be named" : "may be named"}</dd>
                <dt>Valid tokens</dt>
                <dd>{policy.max_tokens === null ? "any number" : `at most ${policy.max_tokens}`}</dd>
            </dl>
            <p class="hint">The system’s administrators change these.</p>
        </>
    );
}

interface FormProps {
    edit: ReturnType<typeof useEdit<Organization>>;
    first: Organization;
}

interface Draft extends PolicyDraft {
    name: string;
}

function draftOf(organization: Organization): Draft {
    return { name: organization.display_name ?? "", ...policyDraftOf(organization.policy) };
}

function Form({ edit, first }: FormProps) {
    const { refresh } = useSession();
    const [draft, setDraft] = useState(() => draftOf(first));
    useRebase(edit.conflict, draftOf, setDraft);
    const { form, onSubmit, busy, problem, error } = useSubmit(async () => {
        const body = { display_name: draft.name.trim() || null, policy: policyFrom(draft) };
        await edit.save((ifMatch) => call("patch", "/api/v1/organizations/{org}", { path: { org: first.id }, body, ifMatch }));
        edit.reload();
        refresh();
        notify("The settings were saved.");
    });
    return (
        <form ref={form} onSubmit={onSubmit} noValidate>
            <ConflictNote
                conflict={edit.conflict}
                fields={{
                    Name: (each) => each.display_name ?? "",
                    "Longest life": (each) => each.policy.max_life ?? "",
                    "Usual life": (each) => each.policy.default_life ?? "",
                    "Most tokens": (each) => String(each.policy.max_tokens ?? ""),
                    "Addresses required": (each) => (each.policy.require_allow ? "yes" : "no"),
                    Suspended: (each) => (each.suspended ? "yes" : "no"),
                }}
                onTake={(now) => {
                    setDraft(draftOf(now));
                    edit.settle();
                }}
            />
            <ProblemNote problem={edit.conflict ? null : problem} fields={["display_name", ...policyFieldNames]} />
            <Field label="Name" error={error("display_name")} optional>
                {(control) => (
                    <input
                        {...control}
                        value={draft.name}
                        autocomplete="off"
                        onInput={(event) => setDraft({ ...draft, name: event.currentTarget.value })}
                    />
                )}
            </Field>
            <h3>Rules for new tokens</h3>
            <PolicyFields policy={draft} onChange={(policy) => setDraft({ ...draft, ...policy })} error={error} />
            <Button kind="primary" type="submit" busy={busy}>
                Save settings
            </Button>
        </form>
    );
}

function Danger({ organization }: { organization: Organization }) {
    const [, navigate] = useLocation();
    const { refresh } = useSession();
    const [open, setOpen] = useState<"suspend" | "delete" | null>(null);
    const name = organization.display_name ?? organization.id;
    return (
        <section class="card" aria-labelledby="danger">
            <h2 id="danger">Suspend or delete</h2>
            <p class="hint">
                While it is suspended, all its tokens are refused, and its members can only read, revoke and delete.
            </p>
            <div class="actions">
                <Button onClick={() => setOpen("suspend")}>
                    {organization.suspended ? "Resume organization" : "Suspend organization"}
                </Button>
                <Button kind="danger" onClick={() => setOpen("delete")}>
                    Delete organization
                </Button>
            </div>
            {open === "suspend" && (
                <SuspendOrganization
                    organization={organization}
                    onClose={() => setOpen(null)}
                    onDone={() => window.location.reload()}
                />
            )}
            {open === "delete" && (
                <DeleteOrganization
                    organization={organization}
                    onClose={() => setOpen(null)}
                    onDone={() => {
                        refresh();
                        navigate("/admin/organizations");
                        notify(`${name} was deleted.`);
                    }}
                />
            )}
        </section>
    );
}

interface DialogProps {
    organization: Organization;
    onClose: () => void;
    onDone: () => void;
}

export function SuspendOrganization({ organization, onClose, onDone }: DialogProps) {
    const name = organization.display_name ?? organization.id;
    const suspend = !organization.suspended;
    return (
        <Confirm
            title={suspend ? `Suspend ${name}?` : `Resume ${name}?`}
            action={suspend ? "Suspend organization" : "Resume organization"}
            onClose={onClose}
            onConfirm={async () => {
                await patchSuspended(organization.id, suspend);
                onDone();
            }}
        >
            <p>
                {suspend
                    ? "All its tokens, and those of its groups, are refused until it is resumed."
                    : "Its tokens are let in again, unless they were revoked or have expired."}
            </p>
        </Confirm>
    );
}

function patchSuspended(org: string, suspended: boolean): Promise<Answer<Organization>> {
    return call("patch", "/api/v1/organizations/{org}", { path: { org }, body: { suspended } });
}

export function DeleteOrganization({ organization, onClose, onDone }: DialogProps) {
    return (
        <DeleteAll
            title={`Delete ${organization.display_name ?? organization.id}?`}
            action="Delete organization"
            typed={organization.id}
            onDelete={(force) =>
                call("delete", "/api/v1/organizations/{org}", { path: { org: organization.id }, query: { force } })
            }
            onDone={onDone}
            onClose={onClose}
        >
            <p>Its groups and memberships go with it. This cannot be undone.</p>
        </DeleteAll>
    );
}
