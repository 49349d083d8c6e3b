// A person's name, with the identifier if that is another.
export function Person({ id, name }: { id: string; name: string | null }) {
    return (
        <>
            <span class="break">{name ?? id}</span>
            {name !== null && name !== id && <span class="hint break sub">{id}</span>}
        </>
    );
}
