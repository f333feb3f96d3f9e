/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/pem.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"

#define DER_MAX (512u << 10) /* far more than two files of PEM become */

enum tag {
    INTEGER = 0x02,
    BITS = 0x03,
    OCTETS = 0x04,
    OID = 0x06,
    SEQUENCE = 0x30,
    SET = 0x31,
    CONTEXT_0 = 0xa0,
    CONTEXT_1 = 0xa1
};

/* --- the armour --- */

int pem_next(const char **at, char **ret_label, struct dr_buf *ret_der)
{
    static const char begin[] = "-----BEGIN ";
    const char *from = strstr(*at, begin);
    if (!from)
        return 0;
    from += sizeof begin - 1;
    const char *label_end = strstr(from, "-----");
    if (!label_end || memchr(from, '\n', (size_t)(label_end - from)))
        return -1;
    dr_auto_free char *label = dr_strndup(from, (size_t)(label_end - from));
    dr_auto_free char *end = dr_printf("-----END %s-----", label);
    const char *body = label_end + 5, *stop = strstr(body, end);
    if (!stop)
        return -1;
    size_t n = 0;
    dr_auto_free char *base64 = dr_alloc((size_t)(stop - body) + 1);
    for (const char *p = body; p < stop; p++)
        if (!isspace((unsigned char)*p))
            base64[n++] = *p;
    /* "Proc-Type: 4,ENCRYPTED" is of no other alphabet, and fails here */
    char *bytes = n % 4 == 0 ? dr_base64_decode(base64) : NULL;
    size_t padding = 0;
    while (padding < 2 && padding < n && base64[n - 1 - padding] == '=')
        padding++;
    explicit_bzero(base64, n);
    *at = stop + strlen(end);
    if (!bytes)
        return -1;
    dr_buf_release(ret_der);
    size_t len = n / 4 * 3 - padding;
    *ret_der = (struct dr_buf){.data = bytes, .len = len, .cap = len, .max = len};
    *ret_label = DR_TAKE(label);
    return 1;
}

/* --- reading DER --- */

struct der {
    const unsigned char *p;
    size_t len;
};

static struct der der_of(const struct dr_buf *buf)
{
    return (struct der){(const unsigned char *)buf->data, buf->len};
}

/* Takes the first element out of in; false: it is another one, or is cut off. */
static bool take(struct der *in, enum tag tag, struct der *ret)
{
    if (in->len < 2 || in->p[0] != tag)
        return false;
    size_t len = in->p[1], head = 2;
    if (len >= 0x80) {
        size_t digits = len & 0x7f;
        if (digits == 0 || digits > 3 || in->len < 2 + digits)
            return false;
        len = 0;
        for (size_t i = 0; i < digits; i++)
            len = len << 8 | in->p[2 + i];
        head += digits;
    }
    if (len > in->len - head)
        return false;
    *ret = (struct der){in->p + head, len};
    in->p += head + len;
    in->len -= head + len;
    return true;
}

static bool is(struct der element, const char *bytes, size_t len)
{
    return element.len == len && memcmp(element.p, bytes, len) == 0;
}

static bool has(struct der in, struct der part)
{
    return part.len > 0 && memmem(in.p, in.len, part.p, part.len) != NULL;
}

#define OID_RSA "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"  /* 1.2.840.113549.1.1.1 */
#define OID_EC "\x2a\x86\x48\xce\x3d\x02\x01"           /* 1.2.840.10045.2.1 */
#define OID_DATA "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01" /* PKCS#7 data */
#define OID_KEY_BAG "\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x01"
#define OID_CERT_BAG "\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x03"
#define OID_X509 "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x16\x01"
#define OID_LOCAL_KEY "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x15" /* which key is whose */
#define IS(element, oid) is(element, oid, sizeof(oid) - 1)

/* RFC 8410. */
static const char *foreign(struct der oid)
{
    return IS(oid, "\x2b\x65\x70") ? "Ed25519" : IS(oid, "\x2b\x65\x71") ? "Ed448" : NULL;
}

/* The algorithm of a certificate's own key (RFC 5280 4.1). */
static bool key_algorithm(struct der cert, struct der *ret)
{
    struct der whole, tbs, skip, info, algorithm;
    if (!take(&cert, SEQUENCE, &whole) || !take(&whole, SEQUENCE, &tbs))
        return false;
    take(&tbs, CONTEXT_0, &skip);         /* version */
    return take(&tbs, INTEGER, &skip) &&  /* serial number */
           take(&tbs, SEQUENCE, &skip) && /* how it is signed */
           take(&tbs, SEQUENCE, &skip) && /* issuer */
           take(&tbs, SEQUENCE, &skip) && /* validity */
           take(&tbs, SEQUENCE, &skip) && /* subject */
           take(&tbs, SEQUENCE, &info) && take(&info, SEQUENCE, &algorithm) &&
           take(&algorithm, OID, ret);
}

const char *pem_foreign_key(const char *certificates)
{
    dr_auto_buf struct dr_buf der = DR_BUF_INIT(0);
    const char *found = NULL;
    for (int rc = 1; rc > 0 && !found;) {
        dr_auto_free char *label = NULL;
        struct der oid;
        rc = pem_next(&certificates, &label, &der);
        if (rc > 0 && key_algorithm(der_of(&der), &oid))
            found = foreign(oid);
    }
    return found;
}

/* --- writing DER --- */

static void add(struct dr_buf *out, const void *data, size_t len)
{
    dr_auto_error struct dr_error full = DR_ERROR_INIT;
    if (dr_buf_add(out, data, len, &full) < 0)
        abort(); /* the files had a limit */
}

static void put(struct dr_buf *out, enum tag tag, const void *data, size_t len)
{
    unsigned char head[5] = {(unsigned char)tag, (unsigned char)len};
    size_t n = 2;
    if (len >= 0x80) {
        size_t digits = len > 0xffff ? 3 : len > 0xff ? 2 : 1;
        head[1] = (unsigned char)(0x80 | digits);
        for (size_t i = 0; i < digits; i++)
            head[n++] = (unsigned char)(len >> 8 * (digits - 1 - i));
    }
    add(out, head, n);
    add(out, data, len);
}

#define PUT_OID(out, oid) put(out, OID, oid, sizeof(oid) - 1)

/* What is in buf becomes the content of an element. */
static void wrap(struct dr_buf *buf, enum tag tag)
{
    struct dr_buf whole = DR_BUF_INIT(DER_MAX);
    put(&whole, tag, buf->data ? buf->data : "", buf->len);
    if (buf->data)
        explicit_bzero(buf->data, buf->len);
    dr_buf_release(buf);
    *buf = whole;
}

/* --- the key --- */

static int refuse(struct dr_error *err, const char *why)
{
    return dr_fail(err, DR_ERR_CONFIG, "%s", why);
}

static int not_ours(struct dr_error *err)
{
    return refuse(err, "the key does not belong to the certificate");
}

/* PKCS#1: the modulus is in the certificate. */
static int check_rsa(struct der cert, struct der key, struct dr_error *err)
{
    struct der whole, version, modulus;
    if (!take(&key, SEQUENCE, &whole) || !take(&whole, INTEGER, &version) ||
        !take(&whole, INTEGER, &modulus))
        return refuse(err, "the key is damaged");
    return has(cert, modulus) ? 0 : not_ours(err);
}

/* SEC 1: the curve, which PKCS#8 has outside, and the public point, if they are there. */
static int check_ec(struct der cert, struct der key, struct der *ret_curve,
                    struct dr_error *err)
{
    struct der whole, version, number, outer, point;
    if (!take(&key, SEQUENCE, &whole) || !take(&whole, INTEGER, &version) ||
        !take(&whole, OCTETS, &number))
        return refuse(err, "the key is damaged");
    *ret_curve = (struct der){NULL, 0};
    if (take(&whole, CONTEXT_0, &outer))
        take(&outer, OID, ret_curve);
    if (take(&whole, CONTEXT_1, &outer) && take(&outer, BITS, &point) &&
        !has(cert, point))
        return not_ours(err);
    return 0;
}

static int check_pkcs8(struct der cert, struct der key, struct dr_error *err)
{
    struct der whole, version, algorithm, oid, inner, curve;
    if (!take(&key, SEQUENCE, &whole) || !take(&whole, INTEGER, &version) ||
        !take(&whole, SEQUENCE, &algorithm) || !take(&algorithm, OID, &oid) ||
        !take(&whole, OCTETS, &inner))
        return refuse(err, "the key is damaged");
    if (IS(oid, OID_RSA))
        return check_rsa(cert, inner, err);
    if (IS(oid, OID_EC))
        return check_ec(cert, inner, &curve, err);
    return dr_fail(err, DR_ERR_CONFIG,
                   "Windows' TLS knows no %s keys: RSA and ECDSA (P-256, P-384) work",
                   foreign(oid) ? foreign(oid) : "such");
}

/* The older forms become PKCS#8: version, algorithm, the key. */
static void to_pkcs8(struct dr_buf *key, struct der curve)
{
    struct dr_buf out = DR_BUF_INIT(DER_MAX), algorithm = DR_BUF_INIT(DER_MAX);
    if (curve.len > 0) {
        PUT_OID(&algorithm, OID_EC);
        put(&algorithm, OID, curve.p, curve.len);
    } else {
        PUT_OID(&algorithm, OID_RSA);
        add(&algorithm, "\x05\x00", 2);
    }
    wrap(&algorithm, SEQUENCE);
    put(&out, INTEGER, "\x00", 1);
    add(&out, algorithm.data, algorithm.len);
    put(&out, OCTETS, key->data, key->len);
    wrap(&out, SEQUENCE);
    dr_buf_release(&algorithm);
    explicit_bzero(key->data, key->len);
    dr_buf_release(key);
    *key = out;
}

/* The first key in the text, as PKCS#8. */
static int read_key(const char *text, struct der cert, struct dr_buf *ret,
                    struct dr_error *err)
{
    for (;;) {
        dr_auto_free char *label = NULL;
        struct der curve = {NULL, 0};
        if (strstr(text, "ENCRYPTED"))
            return refuse(err, "the key is encrypted, and nobody is asked for its "
                               "password: `openssl pkey -in KEY -out KEY` decrypts it");
        int rc = pem_next(&text, &label, ret);
        if (rc <= 0)
            return refuse(err, rc < 0 ? "the key is damaged"
                                      : "there is no key in PEM form in its file");
        if (strcmp(label, "PRIVATE KEY") == 0)
            return check_pkcs8(cert, der_of(ret), err);
        if (strcmp(label, "RSA PRIVATE KEY") == 0) {
            if (check_rsa(cert, der_of(ret), err) < 0)
                return -1;
        } else if (strcmp(label, "EC PRIVATE KEY") == 0) {
            if (check_ec(cert, der_of(ret), &curve, err) < 0)
                return -1;
            if (curve.len == 0)
                return refuse(err, "the key does not say which curve it is of");
        } else {
            continue; /* "EC PARAMETERS" */
        }
        to_pkcs8(ret, curve);
        return 0;
    }
}

/* --- PKCS#12 --- */

/* A bag: what it is, its content, and for the key and its certificate that they are each
 * other's. */
static void add_bag(struct dr_buf *out, const char *oid, size_t oid_len,
                    struct dr_buf *content, bool paired)
{
    struct dr_buf bag = DR_BUF_INIT(DER_MAX), mark = DR_BUF_INIT(DER_MAX);
    put(&bag, OID, oid, oid_len);
    wrap(content, CONTEXT_0);
    add(&bag, content->data, content->len);
    if (paired) {
        struct dr_buf id = DR_BUF_INIT(DER_MAX);
        put(&id, OCTETS, "\x01", 1);
        wrap(&id, SET);
        PUT_OID(&mark, OID_LOCAL_KEY);
        add(&mark, id.data, id.len);
        wrap(&mark, SEQUENCE);
        wrap(&mark, SET);
        add(&bag, mark.data, mark.len);
        dr_buf_release(&id);
    }
    wrap(&bag, SEQUENCE);
    add(out, bag.data, bag.len);
    explicit_bzero(bag.data, bag.len);
    dr_buf_release(&bag);
    dr_buf_release(&mark);
}

static void add_certificate(struct dr_buf *out, const struct dr_buf *der, bool first)
{
    struct dr_buf value = DR_BUF_INIT(DER_MAX), cert = DR_BUF_INIT(DER_MAX);
    put(&value, OCTETS, der->data, der->len);
    wrap(&value, CONTEXT_0);
    PUT_OID(&cert, OID_X509);
    add(&cert, value.data, value.len);
    wrap(&cert, SEQUENCE);
    add_bag(out, OID_CERT_BAG, sizeof OID_CERT_BAG - 1, &cert, first);
    dr_buf_release(&value);
    dr_buf_release(&cert);
}

/* PKCS#7 data: bytes that are neither signed nor encrypted. */
static void as_data(struct dr_buf *buf)
{
    struct dr_buf info = DR_BUF_INIT(DER_MAX);
    wrap(buf, OCTETS);
    wrap(buf, CONTEXT_0);
    PUT_OID(&info, OID_DATA);
    add(&info, buf->data, buf->len);
    explicit_bzero(buf->data, buf->len);
    dr_buf_release(buf);
    wrap(&info, SEQUENCE);
    *buf = info;
}

int pem_to_pkcs12(const char *cert, const char *key, struct dr_buf *ret,
                  struct dr_error *err)
{
    dr_auto_buf struct dr_buf der = DR_BUF_INIT(0), pkcs8 = DR_BUF_INIT(0);
    dr_auto_buf struct dr_buf bags = DR_BUF_INIT(DER_MAX), whole = DR_BUF_INIT(DER_MAX);
    size_t count = 0;
    for (;;) {
        dr_auto_free char *label = NULL;
        int rc = pem_next(&cert, &label, &der);
        if (rc < 0)
            return refuse(err, "the certificate is damaged");
        if (rc == 0)
            break;
        if (strcmp(label, "CERTIFICATE") != 0)
            continue; /* the key may be in the same file */
        if (count == 0 && read_key(key, der_of(&der), &pkcs8, err) < 0)
            return -1;
        add_certificate(&bags, &der, count++ == 0);
    }
    if (count == 0)
        return refuse(err, "there is no certificate in PEM form in its file");
    add_bag(&bags, OID_KEY_BAG, sizeof OID_KEY_BAG - 1, &pkcs8, true);
    wrap(&bags, SEQUENCE);
    as_data(&bags);
    wrap(&bags, SEQUENCE);
    as_data(&bags);
    put(&whole, INTEGER, "\x03", 1);
    add(&whole, bags.data, bags.len);
    wrap(&whole, SEQUENCE);
    explicit_bzero(bags.data, bags.len);
    explicit_bzero(pkcs8.data, pkcs8.len);
    dr_buf_release(ret);
    *ret = whole;
    whole = (struct dr_buf){0};
    return 0;
}
