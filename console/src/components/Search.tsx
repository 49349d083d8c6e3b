import { useEffect, useState } from "preact/hooks";
import { Icon } from "./Icon";

interface Props {
    label: string;
    // Called when the person pauses.
    onSearch: (text: string) => void;
}

export function Search({ label, onSearch }: Props) {
    const [text, setText] = useState("");
    useEffect(() => {
        const timer = window.setTimeout(() => onSearch(text.trim()), 250);
        return () => window.clearTimeout(timer);
    }, [text]);
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
                onInput={(event) => setText(event.currentTarget.value)}
            />
        </div>
    );
}
