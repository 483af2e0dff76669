import HTTP1
import HTTPTypes
public import Vial

/// What a client names one attempt to create something by, so that it may send it again without making a second one
/// (draft-ietf-httpapi-idempotency-key-header): `Idempotency-Key: 8e03978e-40d5-43dd-bc93-6894a57f9324`.
public struct IdempotencyKey: Sendable {
    /// Several times a UUID, and small enough for an index.
    static let byteLimit = 255

    /// How long a key is honoured, as PostgreSQL writes it.
    public static let lifetime = "interval '24 hours'"

    /// The steps that make the table `idempotency_keys`: the key, the SHA-256 of the body that came with it, the identifier of
    /// what it made, when, and what was answered where that does not follow from the body. A service that has them among
    /// its migrations, and `keepsIdempotencyKeys`, writes the keys itself, in the statement that creates.
    public static let migrations = [
        Migration(
            "idempotency_keys",
            // The text is not kept: a request that is sent again brings the same, or its hash would differ.
            """
            CREATE TABLE idempotency_keys (
                key text PRIMARY KEY,
                body_hash bytea NOT NULL,
                item_id bigint NOT NULL,
                created_at timestamptz NOT NULL
            );
            CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);
            """),
        // Null where what was made is what the request brought, at the key's own time: so of nearly every key, and of
        // those from before this step.
        Migration("idempotency_answers", "ALTER TABLE idempotency_keys ADD COLUMN answer json;"),
    ]

    /// The columns of that table.
    public static let columnNames = ["key", "body_hash", "item_id", "created_at", "answer"]

    /// 1 to 255 visible ASCII characters.
    public let text: String

    /// The request's key, nil without one. Compared byte by byte; the quotes of a structured field are part of it.
    ///
    /// - Throws: `HTTPError` 400 when it is repeated, empty, too long, or not visible ASCII.
    public init?(_ request: Request) throws(HTTPError) {
        guard let range = request.head.firstRange(of: .idempotencyKey) else { return nil }
        guard request.head.count(of: .idempotencyKey) == 1 else {
            throw HTTPError(.badRequest, "The Idempotency-Key field occurs more than once.")
        }
        let bytes = request.head.bytes[range]
        guard (1...Self.byteLimit).contains(bytes.count), bytes.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw HTTPError(
                .badRequest, "The Idempotency-Key must be 1 to \(Self.byteLimit) visible ASCII characters.")
        }
        text = String(decoding: bytes, as: UTF8.self)
    }
}
