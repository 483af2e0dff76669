import HTTPTypes
import Vial

/// The body of a request that changes some members of an item (JSON Merge Patch, RFC 7396): an absent member stays as it
/// is.
struct ItemPatch: JSONObjectDecodable {
    enum Member: Equatable {
        case absent
        case null
        case text(String)

        /// Nil leaves it to `JSONDecoder`.
        fileprivate init?(_ members: JSONMembers, _ name: StaticString) {
            switch members.text(name) {
            case .text(let text): self = .text(text)
            case .none: self = members.contains(name) ? .null : .absent
            case .other: return nil
            }
        }

        fileprivate init(_ members: KeyedDecodingContainer<OtherMembers.Name>, _ name: OtherMembers.Name) throws {
            guard members.contains(name) else {
                self = .absent
                return
            }
            self = try members.decodeIfPresent(String.self, forKey: name).map(Member.text) ?? .null
        }
    }

    let name: Member
    let description: Member
    let others: OtherMembers

    init?(_ members: JSONMembers) {
        guard let name = Member(members, "name"), let description = Member(members, "description"),
            let others = OtherMembers(members)
        else { return nil }
        self.name = name
        self.description = description
        self.others = others
    }

    init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: OtherMembers.Name.self)
        name = try Member(members, .name)
        description = try Member(members, .description)
        others = OtherMembers(members)
    }

    /// - Parameter id: of the item to change.
    /// - Throws: `HTTPError` 422 with every broken rule.
    func validated(for id: Int64) throws(HTTPError) -> ItemChange {
        var errors: [HTTPError.FieldError] = []
        var change = ItemChange()
        switch name {
        case .absent: break
        case .null: errors.append(.init(field: "name", message: "must not be null"))
        case .text(let text):
            let trimmed = text.trimmed
            if let fault = NewItem.fault(inName: trimmed) { errors.append(fault) }
            change.name = trimmed
        }
        switch description {
        case .absent: break
        case .null: change.description = .set(nil)
        case .text(let text):
            if let fault = NewItem.fault(inDescription: text) { errors.append(fault) }
            change.description = .set(text)
        }
        if !others.isEmpty { errors += others.faults(for: id) }
        guard errors.isEmpty else { throw HTTPError(brokenRules: errors) }
        return change
    }
}

/// A valid change of an item: of some members, or of all that are the client's.
struct ItemChange: Sendable {
    enum Description: Sendable {
        case keep
        case set(String?)
    }

    /// Nil keeps it.
    var name: String?
    var description = Description.keep

    /// Changes nothing.
    init() {}

    /// Replaces all members.
    init(replacing new: NewItem.Valid) {
        name = new.name
        description = .set(new.description)
    }
}
