/// What is wrong with one variable, or with several together.
struct ConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The names as in the environment, one at least.
    let variables: [String]
    /// The end of a sentence that begins with the names. Never holds a secret.
    let problem: String

    /// A problem of one variable.
    init(variable: String, problem: String) {
        self.init(variables: [variable], problem: problem)
    }

    /// A problem of values that do not go together.
    init(variables: [String], problem: String) {
        self.variables = variables
        self.problem = problem
    }

    /// `DB_PORT must be a whole number from 1 to 65535`
    var description: String { "\(variables.joined(separator: ", ")) \(problem)" }
}

/// Everything that is wrong with the configuration, in the table's order.
struct ConfigurationErrors: Error, Equatable, Sendable, CustomStringConvertible {
    /// `EX_CONFIG` of sysexits.h: the process ends with this status, and a supervisor knows that a restart will not help.
    static let exitStatus: Int32 = 78

    /// One at least.
    let errors: [ConfigurationError]

    /// - Parameter errors: one at least.
    init(errors: [ConfigurationError]) {
        precondition(!errors.isEmpty, "an error without anything wrong")
        self.errors = errors
    }

    /// One line for each error.
    var description: String { errors.map(\.description).joined(separator: "\n") }
}
