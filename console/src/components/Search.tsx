import { useEffect, useRef, useState } from "preact/hooks";
import { withoutSecret } from "../text/secret";
import { Icon } from "./Icon";

interface Props {
    label: string;
    // What is searched for now, if it can change otherwise.
    value?: string;
    // Called when the person pauses.
    onSearch: (text: string) => void;
}

const pause = 250;

// A token that is typed or pasted does not even stay in the field.
export function Search({ label, value = "", onSearch }: Props) {
    const [text, setText] = useState(value);
    const timer = useRef(0);
    useEffect(() => setText(value), [value]);
    useEffect(() => () => window.clearTimeout(timer.current), []);
    function typed(input: HTMLInputElement): void {
        const kept = withoutSecret(input.value);
        input.value = kept;
        setText(kept);
        window.clearTimeout(timer.current);
        timer.current = window.setTimeout(() => onSearch(kept.trim()), pause);
    }
    return (
        <div class="search">
            <Icon name="search" />
            <input
                type="search"
                aria-label={label}
                placeholder={label}
                value={text}
                autocomplete="off"
                spellcheck={false}
                maxLength={255}
                onInput={(event) => typed(event.currentTarget)}
            />
        </div>
    );
}
