/// The order in which a statement reads a list.
struct ListOrder {
    let isByTime: Bool
    let direction: ItemList.Order

    init(isByTime: Bool, _ direction: ItemList.Order) {
        self.isByTime = isByTime
        self.direction = direction
    }

    private func list(_ time: String, _ id: String) -> String {
        let suffix = direction == .ascending ? "" : " DESC"
        return (isByTime ? [time, id] : [id]).map { $0 + suffix }.joined(separator: ", ")
    }

    /// By the table's columns, which an index has.
    var ofItems: String { list("items.created_at", id) }
    /// By the columns `moment` and `key` of a subquery.
    var ofKeys: String { list("moment", "key") }

    /// Whether a row is between the positions in the parameters from `$2` on.
    var range: String { Self.range("items.created_at", id, isByTime: isByTime) }
    var rangeOfKeys: String { Self.range("moment", "key", isByTime: isByTime) }

    private var id: String { isByTime ? "(\(ListIndex.idByTime("items.id")))" : "items.id" }

    private static func range(_ time: String, _ id: String, isByTime: Bool) -> String {
        isByTime
            ? "(\(time), \(id)) > ($2::timestamptz, $3::int8) AND (\(time), \(id)) < ($4::timestamptz, $5::int8)"
            : "\(id) BETWEEN $2::int8 AND $3::int8"
    }

    /// Number of the first parameter behind the range.
    var nextParameter: Int { isByTime ? 6 : 4 }
}
