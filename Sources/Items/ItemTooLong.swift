import HTTPTypes
import Postgres
import Vial

/// An item of a table from before that is longer than `Item.longestByteCount`, and is not sent.
struct ItemTooLong: Equatable {
    let id: Int64

    /// Nil for errors that are not from `LongItems`.
    init?(_ error: DatabaseError) {
        guard case .server(let error) = error, error.sqlState == "22P02" else { return nil }
        // The value is at the end of the message, in quotes of the server's language.
        let words = error.message.split { !($0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-")) }
        let value = Array(words.suffix(5))
        guard value.count == 5, value[0] == "item", value[2] == "takes", let id = Int64(value[1]) else { return nil }
        self.id = id
    }
}

extension HTTPError {
    init(_ error: ItemTooLong) {
        let mebibytes = Item.longestByteCount / 1_048_576
        self.init(
            .internalServerError, "Item \(error.id) is longer than the \(mebibytes) MiB that this server sends of one.")
    }
}
