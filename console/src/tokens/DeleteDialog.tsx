import { call } from "../api/client";
import { ApiProblem } from "../api/problem";
import type { Token } from "../api/schema";
import { useLoad } from "../api/useLoad";
import { Confirm } from "../components/Confirm";
import { readToken } from "./readToken";

interface Props {
    token: Token;
    onDeleted: () => void;
    onClose: () => void;
}

// Deletes what the person saw: if somebody changed it meanwhile, it says so, and is read anew.
export function DeleteDialog({ token, onDeleted, onClose }: Props) {
    const { value, reload } = useLoad(token.id, (signal) => readToken(token.id, signal));
    async function remove(): Promise<void> {
        try {
            await call("delete", "/api/v1/tokens/{id}", {
                path: { id: token.id },
                ifMatch: value?.etag,
            });
            onDeleted();
        } catch (error) {
            if (error instanceof ApiProblem && error.code === "changed_meanwhile") {
                reload();
            }
            throw error;
        }
    }
    return (
        <Confirm
            title="Delete token"
            action="Delete token"
            typed={value?.token.name ?? token.name}
            onConfirm={remove}
            onClose={onClose}
        >
            <p>
                What uses it is refused at once, and it cannot be restored. To stop it for now,
                revoke it.
            </p>
        </Confirm>
    );
}
