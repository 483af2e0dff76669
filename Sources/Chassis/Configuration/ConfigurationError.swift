/// An error in one variable, or in a combination of several.
struct ConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The names as in the environment, at least one.
    let variables: [String]
    /// The end of a sentence that begins with the names. Never contains a secret.
    let problem: String

    /// An error in one variable.
    init(variable: String, problem: String) {
        self.init(variables: [variable], problem: problem)
    }

    /// An error in a combination of values.
    init(variables: [String], problem: String) {
        self.variables = variables
        self.problem = problem
    }

    /// `DB_PORT must be a whole number from 1 to 65535`
    var description: String { "\(variables.joined(separator: ", ")) \(problem)" }
}

/// All errors of the configuration, in the table's order.
struct ConfigurationErrors: Error, Equatable, Sendable, CustomStringConvertible {
    /// `EX_CONFIG` of sysexits.h: the process exits with this status, so that a supervisor knows that a restart will
    /// not help.
    static let exitStatus: Int32 = 78

    /// At least one.
    let errors: [ConfigurationError]

    /// - Parameter errors: at least one.
    init(errors: [ConfigurationError]) {
        precondition(!errors.isEmpty, "a configuration error without a problem")
        self.errors = errors
    }

    /// One line per error.
    var description: String { errors.map(\.description).joined(separator: "\n") }
}
