import Configuration

/// The variables' values, all read at once: an invalid value is noted and replaced by its default, so that one run
/// reports every error.
struct Reading {
    private var errors: [ConfigurationError] = []
    private(set) var values: VariableValues
    private var shown: [String: String] = [:]
    private let variables: [Variable]

    init(_ variables: [Variable], from reader: ConfigReader) {
        self.variables = variables
        values = VariableValues(of: variables)
        for variable in variables {
            let given = reader.string(forKey: ConfigKey([variable.name]), isSecret: variable.isSecret) ?? ""
            read(variable, given: given)
        }
    }

    private mutating func read(_ variable: Variable, given: String) {
        if !given.isEmpty {
            do throws(Variable.Problem) {
                let value = try variable.parse(given)
                values.set(variable.name, to: value)
                shown[variable.name] = variable.isSecret ? Secret.redacted : value.rendered(given: given)
                return
            } catch {
                errors.append(ConfigurationError(variable: variable.name, problem: error.text))
            }
        }
        switch variable.default {
        case .none:
            shown[variable.name] = " (unset)"
        case .computed(let words):
            shown[variable.name] = " (default: \(words))"
        case .text(let text):
            guard let value = try? variable.parse(text) else {
                fatalError("the default of \(variable.name) is invalid")
            }
            values.set(variable.name, to: value)
            shown[variable.name] = "\(variable.isSecret ? Secret.redacted : text) (default)"
        }
        if !given.isEmpty { shown[variable.name] = "\(variable.isSecret ? Secret.redacted : printable(given)) (bad)" }
    }

    /// Whether all of them had valid values: only then can they be compared.
    func areGood(_ names: [String]) -> Bool {
        !errors.contains { error in error.variables.contains { names.contains($0) } }
    }

    /// In the table's order; an error of several variables is at the position of the first.
    var sortedErrors: [ConfigurationError] {
        variables.flatMap { variable in errors.filter { $0.variables.first == variable.name } }
    }

    mutating func note(_ error: ConfigurationError) {
        errors.append(error)
    }

    /// Shows the value of a computed default, or the place of a value.
    mutating func show(_ name: String, as text: String) {
        guard shown[name] != nil else { fatalError("\(name) is not in the table of variables") }
        shown[name] = text
    }

    /// `NAME=value` for every variable in the table's order, with a mark for default values.
    var lines: [String] {
        variables.map { "\($0.name)=\(shown[$0.name] ?? "")" }
    }

    /// An invalid value is printed on a terminal, so its control characters are escaped.
    private func printable(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            result += scalar.properties.generalCategory == .control ? scalar.escaped(asASCII: true) : String(scalar)
        }
        return result
    }
}
