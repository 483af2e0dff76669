import HTTPTypes
import Postgres
import Vial

/// An item of a table from before that is longer than any that is sent: `Item.longestByteCount`.
struct ItemTooLong: Equatable {
    let id: Int64

    /// Nil for errors of another kind than those of `LongItems`.
    init?(_ error: DatabaseError) {
        guard case .server(let error) = error, error.sqlState == "22P02" else { return nil }
        let parts = error.message.split(separator: "\"")
        let words = parts.count > 1 ? parts[1].split(separator: " ") : []
        guard words.count == 5, words[0] == "item", words[2] == "takes", let id = Int64(words[1]) else { return nil }
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
