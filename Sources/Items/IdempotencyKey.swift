import HTTP1
import HTTPTypes
import Vial

/// What a client names one attempt to create an item by, so that it may send it again without making a second item
/// (draft-ietf-httpapi-idempotency-key-header): `Idempotency-Key: 8e03978e-40d5-43dd-bc93-6894a57f9324`.
struct IdempotencyKey {
    /// Several times a UUID, and small enough for an index.
    static let byteLimit = 255

    let text: String

    /// The request's key, nil without one. Compared byte by byte; the quotes of a structured field are part of it.
    ///
    /// - Throws: `HTTPError` 400 when it is repeated, empty, too long, or not visible ASCII.
    init?(_ request: Request) throws(HTTPError) {
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
