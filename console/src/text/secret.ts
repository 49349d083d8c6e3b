// What a search may send: never a token, which would end in logs of addresses.

// ak_7Hq… with the secret behind the dot; perhaps as a header field has it.
const token = /^(?:authorization:\s*)?(?:bearer\s+|token\s+)?[A-Za-z0-9]{1,16}_([A-Za-z0-9]{1,64})\.[A-Za-z0-9]{16,}/i;
// Of another format: longer than any word.
const secret = /[A-Za-z0-9_~+/.-]{40,}/;

// The text with a whole token cut to its id; what else looks like a secret is cut off.
export function withoutSecret(text: string): string {
    const id = token.exec(text.trim())?.[1];
    return id ?? text.slice(0, secret.exec(text)?.index ?? text.length);
}
