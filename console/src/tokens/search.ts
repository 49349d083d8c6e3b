// What a search may send: never a token, which would end in logs of addresses.

// ak_7Hq… with the secret behind the dot, or the beginning of one; perhaps as a header field has it.
const token = /^\s*(?:authorization:\s*)?(?:bearer\s+|token\s+)?[A-Za-z0-9]{1,16}_([A-Za-z0-9]{1,64})\.\S*\s*$/i;
// Of another format: longer than any word.
const secret = /[A-Za-z0-9_~+/-]{32,}/;

// The text with a whole token cut to its id; what else looks like a secret is cut off.
export function withoutSecret(text: string): string {
    const id = token.exec(text)?.[1];
    if (id !== undefined) {
        return id;
    }
    const found = secret.exec(text);
    return found && !/[\s]/.test(text.trim()) ? text.slice(0, found.index) : text;
}
