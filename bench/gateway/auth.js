// njs, in its usual form: the token's SHA-256, which nginx looks up in a "map". (njs runs the top level of a
// file for every request, so a table there would cost far more.)
import crypto from 'crypto';

function digest(r) {
    const field = r.headersIn['Authorization'];
    return field && field.startsWith('Bearer ')
        ? crypto.createHash('sha256').update(field.slice(7)).digest('hex') : '';
}

export default { digest };
