// njs, as one would write it: the token's SHA-256, for a "map" of nginx to look up. (What stands at
// the top of a file njs runs anew for every request, so that a table there costs far more.)
import crypto from 'crypto';

function digest(r) {
    const field = r.headersIn['Authorization'];
    return field && field.startsWith('Bearer ')
        ? crypto.createHash('sha256').update(field.slice(7)).digest('hex') : '';
}

export default { digest };
