import type { Token } from "../api/schema";
import type { Item } from "../components/Menu";

export type Action = "revoke" | "restore" | "rotate" | "edit" | "delete";

// What the status button offers: what fits the status.
export function statusItems(token: Token, act: (action: Action) => void): Item[] {
    const item = (label: string, action: Action, danger = false): Item => ({
        label,
        danger,
        onSelect: () => act(action),
    });
    const ends = token.status === "revoked" || token.status === "expired";
    return [
        ...(token.status === "revoked" ? [item("Restore", "restore")] : []),
        ...(ends ? [] : [item("Revoke", "revoke")]),
        ...(ends || token.successor !== null ? [] : [item("Rotate…", "rotate")]),
        item("Edit…", "edit"),
        item("Delete…", "delete", true),
    ];
}
