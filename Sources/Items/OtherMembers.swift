import Formatting
import Vial

/// The members of a body other than name and description. Those that the service sets are accepted and ignored, so that
/// an item which was read can be sent back; unknown ones are refused, because the client expects an effect that they do
/// not have.
struct OtherMembers: Equatable {
    /// Unknown members that an answer names: a body may have 256 of them.
    static let namedLimit = 16
    /// Characters of an unknown member's name that an answer repeats.
    static let nameLimit = 64
    static let none = OtherMembers(id: .none, unknown: [])

    /// The name of any member.
    struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }

        static let name = Name(stringValue: "name")
        static let description = Name(stringValue: "description")
        static let id = Name(stringValue: "id")
    }

    /// The body's `id`; `.other` when it is no whole number.
    let id: JSONMembers.Integer
    let unknown: [String]

    private init(id: JSONMembers.Integer, unknown: [String]) {
        self.id = id
        self.unknown = unknown
    }

    /// Nil leaves them to `JSONDecoder`.
    init?(_ members: JSONMembers) {
        // The usual body has no others.
        if members.areAmong("name", "description") {
            self = .none
            return
        }
        let id = members.integer("id")
        guard id != .other, let unknown = members.names(except: Self.isKnown) else { return nil }
        self.init(id: id, unknown: unknown)
    }

    init(_ members: KeyedDecodingContainer<Name>) {
        var id = JSONMembers.Integer.none
        if members.contains(.id) {
            id = (try? members.decode(Int64.self, forKey: .id)).map(JSONMembers.Integer.integer) ?? .other
        }
        let unknown = members.allKeys.map(\.stringValue).filter { !Self.isKnown($0.utf8.span) }
        // The decoder has them in no order.
        self.init(id: id, unknown: unknown.sorted())
    }

    private static func isKnown(_ name: Span<UInt8>) -> Bool {
        switch name.count {
        case 2: name.equals("id")
        case 4: name.equals("name")
        case 10: name.equals("created_at") || name.equals("updated_at")
        case 11: name.equals("description")
        default: false
        }
    }

    var isEmpty: Bool { unknown.isEmpty && id == .none }

    /// - Parameter id: of the item that the body is for; nil for a new one, whose `id` is ignored.
    func faults(for id: Int64?) -> [HTTPError.FieldError] {
        var faults = unknown.prefix(Self.namedLimit).map { name in
            let scalars = name.unicodeScalars
            let isLong = scalars.count > Self.nameLimit
            let shown = isLong ? String(String.UnicodeScalarView(scalars.prefix(Self.nameLimit))) + "…" : name
            return HTTPError.FieldError(field: shown, message: "is not known")
        }
        if let id, self.id != .none, self.id != .integer(id) {
            faults.append(HTTPError.FieldError(field: "id", message: "must be \(id), as in the path"))
        }
        return faults
    }
}
