import Configuration
import Reactor
import Testing
import Vial

@testable import Chassis
@testable import TestSupport

/// Arbitrary values: none of them ends the process, and accepted ones can be served.
struct ConfigurationFuzzTests {
    /// Always the same values, so that a failure is reproducible.
    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            // SplitMix64.
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }

    private static let strange = [
        "0", "1", "-1", "+1", "00", "01", "2147483648", "9223372036854775807", "18446744073709551615", "1e9", "NaN",
        " ",
        "\n", "\u{0}", "\u{1B}[2J", "ä", "👨‍👩‍👧‍👦", "none", "none,none", ",", ",,", "/", "//", "/.", "/..", "/a", "/a,/a",
        "/a/",
        "/api/items/1", "/health", "/{id}", "/%2F", "::", "::0", "0.0.0.0", "::ffff:1.2.3.4", "localhost", "[::1]",
        "http://",
        "https://[", "http://x:99999999/", "10.0.0.0/33", "::/129", "0.0.0.0/0", "true", "verify-full", "/dev/null",
        "/proc/self/mem", "/", String(repeating: "x", count: 70_000), String(repeating: ",", count: 10_000),
        String(repeating: "/a", count: 10_000), String(repeating: "9", count: 400),
    ]

    private static func value(for variable: Variable, _ generator: inout Generator) -> String {
        switch variable.kind {
        case .integer(let range) where Bool.random(using: &generator):
            let bound = [range.lowerBound, range.upperBound].randomElement(using: &generator)!
            return "\(bound + Int.random(in: -1...1, using: &generator))"
        case .choice(let choices) where Bool.random(using: &generator):
            return choices.randomElement(using: &generator)!.uppercased()
        case .paths where Bool.random(using: &generator):
            let parts = ["/", "a", "health", "db", "api", "items", "1", "..", ",", "{id}", "~"]
            return "/"
                + (0..<Int.random(in: 0..<6, using: &generator)).map { _ in
                    parts.randomElement(using: &generator)!
                }.joined(separator: Bool.random(using: &generator) ? "/" : "")
        default:
            return strange.randomElement(using: &generator)!
        }
    }

    @Test func `any values of the variables are accepted or rejected`() async throws {
        var generator = Generator(state: 20_241_101)
        var good: [Configuration] = []
        let variables = Configuration.variables(of: service)
        let names = Set(variables.map(\.name))
        for _ in 0..<4000 {
            var values: [AbsoluteConfigKey: ConfigValue] = [:]
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let variable = variables.randomElement(using: &generator)!
                let value = Self.value(for: variable, &generator)
                values[AbsoluteConfigKey([variable.name])] = ConfigValue(.string(value), isSecret: variable.isSecret)
            }
            let (configuration, errors) = Configuration.examine(
                for: service, from: ConfigReader(provider: InMemoryProvider(values: values)), needsDatabase: false,
                secretsDirectory: "/nowhere")
            for error in errors { #expect(names.isSuperset(of: error.variables)) }
            if errors.isEmpty { good.append(configuration) }
        }
        #expect(good.count > 400)
        let configurations = good
        try await withUnreachableRoutes(of: service) { routes in
            for configuration in configurations {
                let app = routes.app(
                    basePath: configuration.http.basePath, healthPaths: configuration.health.paths,
                    hidesOperations: configuration.http.adminPort != nil)
                #expect(app.routes.count == StandardRoutes.patterns.count + 2 + configuration.health.paths.count)
                #expect(SocketAddress(host: configuration.http.host, port: configuration.http.port) != nil)
            }
        }
    }
}
