/// What a statement is asked with.
@usableFromInline
enum Arguments: Sendable {
    /// The key of a lookup: as an array of one it would be an allocation for each.
    case key(Int64)
    /// Of an insert that may run as one with its neighbours: each a text or null.
    case texts([Parameter])
    case list([Parameter])

    /// A lookup's key stands alone, however it came. Ends the process when the statement takes another number of parameters.
    @usableFromInline
    init(_ parameters: [Parameter], for statement: Statement) {
        guard parameters.count == statement.parameterCount else {
            fatalError(
                "\(statement.name) takes \(statement.parameterCount) parameters, and was given \(parameters.count)")
        }
        guard statement.isLookup else {
            let mayBeGrouped = statement.many != nil && parameters.allSatisfy { $0.isOptionalText }
            self = mayBeGrouped ? .texts(parameters) : .list(parameters)
            return
        }
        guard parameters.count == 1, case .int64(let key) = parameters[0] else {
            fatalError("\(statement.name) looks up an int8")
        }
        self = .key(key)
    }

    /// The key of a lookup.
    @usableFromInline
    static func key(_ key: Int64, of lookup: Statement) -> Arguments {
        precondition(lookup.isLookup, "\(lookup.name) is no lookup")
        return .key(key)
    }

    /// What they take as bytes, about.
    var byteCount: Int {
        switch self {
        case .key: 8
        case .texts(let parameters), .list(let parameters): Self.byteCount(parameters)
        }
    }

    private static func byteCount(_ parameters: [Parameter]) -> Int {
        var count = 0
        // Not copied one by one, which would hold and let go of each.
        let parameters = parameters.span
        for index in parameters.indices { count += parameters[index].byteCount }
        return count
    }

    var parameters: [Parameter] {
        switch self {
        case .key(let key): [.int64(key)]
        case .texts(let parameters), .list(let parameters): parameters
        }
    }

    /// Whether there is an array for each place of what they and their neighbours' are.
    var mayBeJoined: Bool { if case .list = self { false } else { true } }

    /// Those of statements that run as one: an array for each place.
    static func joined(_ group: [PendingStatement]) -> [Parameter] {
        switch group[0].arguments {
        case .key: [.int64s(group.map(\.key))]
        case .texts(let first):
            first.indices.map { place in .texts(of: group.lazy.map { $0.arguments.parameters[place] }) }
        case .list: fatalError("\(group[0].statement.name) has parameters that cannot be joined")
        }
    }
}
