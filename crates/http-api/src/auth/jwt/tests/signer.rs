//! Keys of the tests, and tokens that are signed with them.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rsa::RsaPrivateKey;
use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::pkcs8::{DecodePrivateKey, EncodePublicKey, LineEnding};
use serde_json::Value;

/// The secret of HS256.
pub const SECRET: &str = "a secret of the tests, 32 bytes.";

/// An RSA key that is too short: 1024 bits.
pub const SHORT_RSA: &str = "\
-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDKdru5ynKNUa6BhgtvYDScAPie
Niy3KQ9c3+bQLm6jxRnjOppyZSrHYsQruO4YPiB9dsnGRZENzH+VbkQIQ7DULFT2
lWCDJUZQpLURfgzZGZZsYfUTb3eC0IzCZoaZS28M+ijSK1b15oLelQT9ybhhTF1X
tg3ZRbKdmYdFf3uifwIDAQAB
-----END PUBLIC KEY-----
";

/// A key of another kind: ECDSA over P-256.
pub const ECDSA: &str = "\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEjFjY1RshlSe8C2fn2qqwMTEix1iJ
5A9Gsl/Ur3vWBrkqIPxScNM93toOhZQSGfdmm00imWl5vJc4Pd08daWJXQ==
-----END PUBLIC KEY-----
";

/// Made for these tests (`openssl genpkey -algorithm RSA`) and used nowhere else.
const RSA_PRIVATE: &str = "\
-----BEGIN PRIVATE KEY-----
MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQC9OeuL4kRRvEu8
cvfEhkEwTN/VX2OJVDZu23mR/8JF+59IHW2rusEyhoDN18/CcWhBZMO1eWwRa3/C
9QTS7QTYwXWWuqGWOVUda9N9a5cNvowzb2z4bdynYgkYq8DcJTf0T5hYsf6nUkoq
bEl8MHpIPy4so4WQijNkLwzz7C8DY68m4sdIywzV5VngCrEaT+QGrzu7fo/HGZ50
Xr3r0gXGwwpdljc1i46vgk3msZu3Q29nvT/bWzg1nsVmbr6zwloVBgFXgqmOsd0l
X1cJeKR3iwVycPhsRGDIHiqJ5mCvxtyAC2LRq9bQz/q5qib+IaMnlMtMtnjk0yaG
QyJJLv5LAgMBAAECggEATFUCDMKwtpwTnShvhGp3/4jzPjqlh29eKegFKX0XnG19
enTMmdrTNpOFgAPPvmtLGB4SyLD7hCduOXHniUKtktavnacZqeTkzeKCRPTS0WuN
WO5Y8fo3aZoleztFqEinQrmdBiJ/THXojyZxmlRf76b09HLeXUkyo/ZK7lbXPDEX
NUuAy72OG+pzBZ7AuPHsSbeS9A+n7G3vjpKTbQRHthICmcIWfgbyP/uTKbmCrBYV
oEd93eUS0zNFjkGGIyVcZPsmulmjqV8RItMIEdZ4fFfY44aZNnOn07G4mmUoZHmZ
hjFYZPwz/vG/aDevjtHGxb+FzoN0cv2js6Q4SoXE4QKBgQDqul3ugThl3+Kd/2AB
2WrR40fl2MRIvg/gFq78VIbqxzvLJZyb5+jPMq01BlYGJlNw8rsiEABmA+kr3KZQ
6Rg25G8ayn9qB21l3MAwWWqnByN5fCn8WL2GktnNCAiiihZN2HbnFpRUgOA/5i+B
o40/Mie/gtWXnJnlbZxObFT5cQKBgQDOX+xy1xAaIXlbKzitufhC1u9o6EopymXD
3HhRmz8+9XrJoC5cAHRt+6/GpF9Mf8fl1p2j2PraBAWslJHIGiuPfswGyqxKh1QD
ODJvx34wOvVlhmZ3yneAYaj+BKcImz8HcoQpPpOwadoJG2WTtyjNW37tCKTJAt7L
ghDfAsL1ewKBgQCm5VhAazS0itnQyXF0Hyjqj5XhgZ0es7UJ+lb1Jwy/BmYnbVjL
KbvJBxlMqHKl8L5Hgu83qvT9lC5Id5zxzqre7NFq1Sx/MUTBtpIYTpuco2C/0l7w
BBDODMA8Hkg1ecWeGBmC+fUBmJjaFksU/DtEAd9tNhO0ty5diPAoerJ4oQKBgQCo
E6mf8hXUIlUS8kWL/7z4utJrL1xPYt60wJdhZz4ASa9CDOoU1e39MRF8h5xx0lP8
lWj365yJ+OKiJrIANYgqqwsBsQjW/hZnNNqm/OOB5lK759UGVOg0r9URZLqhIMcZ
iqOmb6ea8uq3pg95WZ+qeI0MAZErgOHw/rI83qPnhwKBgAafhpvJZajUscjjANlc
KvjTNVZZaCW2HtilRk52kbn8qQAZdnHt+4HK8nxBUQLK4+h+PcHwAs/YR/YBI0Ik
3pmpQopTPZHR2TuFgWFWsAwtX/7YQ4tatNd5dDJAPhvE6LbLtoNSBMIRtfV4r2JZ
tUxk5IIQtJejrwJ76io3rC+Q
-----END PRIVATE KEY-----
";

static RSA: LazyLock<RsaPrivateKey> = LazyLock::new(|| RsaPrivateKey::from_pkcs8_pem(RSA_PRIVATE).unwrap());
static ED25519: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_bytes(&[7; 32]));

/// The public RSA key, as PEM.
pub fn rsa_public() -> String {
    RSA.to_public_key().to_public_key_pem(LineEnding::LF).unwrap()
}

/// The public Ed25519 key, as PEM.
pub fn ed25519_public() -> String {
    ED25519.verifying_key().to_public_key_pem(LineEnding::LF).unwrap()
}

/// A token with these claims, signed with the test's key for this algorithm.
pub fn signed(algorithm: Algorithm, claims: &Value) -> String {
    let key = match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => EncodingKey::from_secret(SECRET.as_bytes()),
        Algorithm::EdDSA => EncodingKey::from_ed_der(ED25519.to_pkcs8_der().unwrap().as_bytes()),
        _ => EncodingKey::from_rsa_der(RSA.to_pkcs1_der().unwrap().as_bytes()),
    };
    encode(&Header::new(algorithm), claims, &key).unwrap()
}

/// A token with this JSON as its header and its claims, and a signature of HS256 with this secret that fits.
pub fn with_text(header: &str, claims: &str, secret: &str) -> String {
    let message = format!("{}.{}", base64(header), base64(claims));
    let key = EncodingKey::from_secret(secret.as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

/// Base64url without padding (RFC 7515, section 2).
pub fn base64(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// The time in this many seconds, as claims have it.
pub fn in_s(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    i64::try_from(now).unwrap() + seconds
}
