import HTTP1
import HTTPTypes
public import Vial

/// A client's name for one attempt to create something, with which it can repeat the request without creating a second
/// one (draft-ietf-httpapi-idempotency-key-header): `Idempotency-Key: 8e03978e-40d5-43dd-bc93-6894a57f9324`.
public struct IdempotencyKey: Sendable {
    /// Several times a UUID, and small enough for an index.
    static let byteLimit = 255

    /// Time for which a key is honoured, in PostgreSQL's syntax.
    public static let lifetime = "interval '24 hours'"

    /// The steps that create the table `idempotency_keys`: the key, the SHA-256 of the body that came with it, the
    /// identifiers of the created rows, the time, and the parts of the answer that do not follow from the body. A service
    /// that has them among its migrations, and `keepsIdempotencyKeys`, writes the keys itself, in the statement that
    /// creates the row.
    public static let migrations = [
        Migration(
            "idempotency_keys",
            // The text is not stored: a repeated request has the same one, or its hash would differ.
            """
            CREATE TABLE idempotency_keys (
                key text PRIMARY KEY,
                body_hash bytea NOT NULL,
                item_id bigint NOT NULL,
                created_at timestamptz NOT NULL
            );
            CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);
            """),
        // Null when the created row equals the request, at the key's own time: for nearly every key, and for those from
        // before this step.
        Migration("idempotency_answers", "ALTER TABLE idempotency_keys ADD COLUMN answer json;"),
        // The rows of a request that created several, in order; null for one. `item_id` is the first of them.
        Migration("idempotency_item_ids", "ALTER TABLE idempotency_keys ADD COLUMN item_ids bigint[];"),
    ]

    /// The columns of that table.
    public static let columnNames = ["key", "body_hash", "item_id", "created_at", "answer", "item_ids"]

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
