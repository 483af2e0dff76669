/// The arguments of one statement.
@usableFromInline
enum Arguments: Sendable {
    /// The key of a lookup. A case of its own, because an array of one element would need an allocation.
    case key(Int64)
    /// Arguments of an insert that may be merged with its neighbours: each a text or null.
    case texts([Parameter])
    case list([Parameter])

    /// A lookup's key is stored alone, even if it was passed in an array. Traps if the statement takes another number
    /// of parameters.
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
        precondition(lookup.isLookup, "\(lookup.name) is not a lookup")
        return .key(key)
    }

    /// Approximate size in bytes.
    var byteCount: Int {
        switch self {
        case .key: 8
        case .texts(let parameters), .list(let parameters): Self.byteCount(parameters)
        }
    }

    private static func byteCount(_ parameters: [Parameter]) -> Int {
        var count = 0
        // Iterates over a span, because copying each element would retain and release it.
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

    /// Whether they can be merged with their neighbours' into one array per parameter.
    var mayBeJoined: Bool { if case .list = self { false } else { true } }

    /// The arguments of merged statements: one array per parameter.
    static func joined(_ group: [PoolState.Request.ID], of statements: StatementTable) -> [Parameter] {
        switch statements[group[0]].arguments {
        case .key: return [.int64s(group.map { statements[$0].key })]
        case .texts(let texts):
            return texts.indices.map { place in
                .texts(of: group.lazy.map { statements[$0].arguments.parameters[place] })
            }
        case .list: fatalError("\(statements[group[0]].statement.name) has parameters that cannot be joined")
        }
    }
}
