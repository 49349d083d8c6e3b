import type { Token } from "../api/schema";
import { CreateDialog } from "./CreateDialog";
import { DeleteDialog } from "./DeleteDialog";
import { EditDialog } from "./EditDialog";
import { RotateDialog } from "./RotateDialog";
import type { GrantsState, Home } from "./source";

export type Open = { kind: "create" } | { kind: "edit" | "rotate" | "delete"; token: Token };

interface Props {
    home: Home;
    open: Open;
    grants: GrantsState;
    // The person may change tokens here.
    writes: boolean;
    newLabel: string;
    onMade: (token: Token, lost: boolean) => void;
    onUnanswered: (name: string) => void;
    onSaved: (token: Token) => void;
    onDeleted: (token: Token) => void;
    onClose: () => void;
}

// The dialog that is open.
export function TokenDialogs({ home, open, grants, onMade, onClose, ...props }: Props) {
    switch (open.kind) {
        case "create":
            return (
                <CreateDialog
                    home={home}
                    title={props.newLabel}
                    grants={grants}
                    onMade={onMade}
                    onUnanswered={props.onUnanswered}
                    onClose={onClose}
                />
            );
        case "edit":
            return (
                <EditDialog
                    home={home}
                    id={open.token.id}
                    grants={props.writes ? grants : null}
                    onSaved={props.onSaved}
                    onClose={onClose}
                />
            );
        case "rotate":
            return <RotateDialog token={open.token} grants={grants} onMade={onMade} onClose={onClose} />;
        case "delete":
            return (
                <DeleteDialog
                    token={open.token}
                    onDeleted={() => props.onDeleted(open.token)}
                    onClose={onClose}
                />
            );
    }
}
