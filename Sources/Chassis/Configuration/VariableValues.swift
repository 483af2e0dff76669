import HTTP1

/// The values of environment variables by name: the given value, or the default if there was no valid one.
///
/// All functions trap for a name that is not declared, and for a variable of another kind.
public struct VariableValues: Sendable {
    private let names: Set<String>
    private var values: [String: Variable.Value] = [:]

    init(of variables: [Variable]) {
        names = Set(variables.map(\.name))
    }

    /// The values of some of the variables only.
    func of(_ variables: [Variable]) -> VariableValues {
        var rest = VariableValues(of: variables)
        rest.values = values.filter { rest.names.contains($0.key) }
        return rest
    }

    mutating func set(_ name: String, to value: Variable.Value) {
        values[name] = value
    }

    /// The text of a variable that has a default.
    public func text(_ name: String) -> String {
        guard let text = textIfSet(name) else { fatalError("\(name) has no default") }
        return text
    }

    /// The text; nil when the variable is unset and has no default.
    public func textIfSet(_ name: String) -> String? {
        switch value(name) {
        case .text(let text): text
        case nil: nil
        default: fatalError("\(name) is not a text variable")
        }
    }

    /// The number in a variable that has a default.
    public func integer(_ name: String) -> Int {
        guard let number = integerIfSet(name) else { fatalError("\(name) has no default") }
        return number
    }

    /// The time in a variable of milliseconds that has a default.
    public func duration(_ name: String) -> Duration { .milliseconds(integer(name)) }

    /// The number; nil when the variable is unset and has no default.
    public func integerIfSet(_ name: String) -> Int? {
        switch value(name) {
        case .integer(let number): number
        case nil: nil
        default: fatalError("\(name) is not a number variable")
        }
    }

    /// Whether a flag, which has a default, is set.
    public func flag(_ name: String) -> Bool {
        guard case .flag(let flag) = value(name) else { fatalError("\(name) is not a flag variable") }
        return flag
    }

    /// The text of a secret variable; nil when it is unset.
    public func secret(_ name: String) -> Secret? {
        textIfSet(name).map(Secret.init)
    }

    func port(_ name: String) -> UInt16 {
        UInt16(integer(name))
    }

    func paths(_ name: String) -> [String] {
        guard case .texts(let paths) = value(name) else { fatalError("\(name) is not a variable of paths") }
        return paths
    }

    func networks(_ name: String) -> TrustedProxies {
        guard case .networks(let networks) = value(name) else { fatalError("\(name) is not a variable of networks") }
        return networks
    }

    /// None when the variable is unset.
    func origins(_ name: String) -> [Origin] {
        switch value(name) {
        case .origins(let origins): origins
        case nil: []
        default: fatalError("\(name) is not a variable of origins")
        }
    }

    private func value(_ name: String) -> Variable.Value? {
        guard names.contains(name) else { fatalError("\(name) is not in the table of variables") }
        return values[name]
    }
}
