// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    // For a type that holds an `OutputSpan`, and so must not outlive the buffer.
    .enableExperimentalFeature("Lifetimes"),
    // Debug builds, and with them the unit tests, check exclusive access at run time. Release builds do not, because the
    // checks would be a large part of a request's instructions (docs/performance.md); the tests must find what they find.
    .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let lifecycleTesting = Target.Dependency.product(name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle")
let configuration = Target.Dependency.product(name: "Configuration", package: "swift-configuration")
let configurationTesting = Target.Dependency.product(name: "ConfigurationTesting", package: "swift-configuration")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

/// Bottom-up: a target may import only targets above it, and only those that it names.
/// `scripts/check-imports` compares every `import` in Sources with this list.
let package = Package(
    name: "items",
    products: [
        .library(name: "Vial", targets: ["Vial"]),
        .library(name: "Postgres", targets: ["Postgres"]),
        .library(name: "Chassis", targets: ["Chassis"]),
        .executable(name: "items", targets: ["items"]),
        .executable(name: "simulate", targets: ["Simulation"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .systemLibrary(name: "CLinux"),
        .target(name: "CProcess", exclude: ["README.md"]),
        .systemLibrary(name: "CPostgres", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .target(name: "Platform", exclude: ["README.md"], swiftSettings: settings),
        .target(name: "AWS", dependencies: ["Platform", "CCurl"], exclude: ["README.md"], swiftSettings: settings),
        .target(name: "Formatting", exclude: ["README.md"], swiftSettings: settings),
        .target(
            name: "Reactor", dependencies: ["Platform", "CLinux", "Formatting"], exclude: ["README.md"],
            swiftSettings: settings),
        .target(name: "HTTP1", dependencies: ["Formatting"], exclude: ["README.md"], swiftSettings: settings),
        .target(
            name: "Telemetry", dependencies: ["Platform", "Formatting", logging], exclude: ["README.md"],
            swiftSettings: settings),
        .target(
            name: "Postgres", dependencies: ["Platform", "Reactor", "Formatting", "CPostgres", deque, lifecycle],
            exclude: ["README.md"],
            swiftSettings: settings),
        .target(
            name: "Vial", dependencies: ["HTTP1", "Platform", "Reactor", "Formatting", httpTypes, lifecycle],
            exclude: ["README.md"],
            swiftSettings: settings),
        .target(
            name: "Chassis",
            dependencies: [
                "Vial", "Postgres", "Telemetry", "AWS", "HTTP1", "Reactor", "Platform", "Formatting", "CCrypto",
                "CLinux", "CProcess", httpTypes, logging, configuration, argumentParser, lifecycle,
            ],
            exclude: ["README.md"],
            resources: ["html", "css", "js"].map { .embedInCode("Documents/docs.\($0)") }, swiftSettings: settings),
        .target(
            name: "Items", dependencies: ["Chassis", "Vial", "Postgres", "HTTP1", "Formatting", httpTypes],
            exclude: ["README.md"], swiftSettings: settings),
        .executableTarget(
            name: "items", dependencies: ["Items", "Chassis"], path: "Sources/ItemsCommand", exclude: ["README.md"],
            swiftSettings: settings),
        .testTarget(name: "PlatformTests", dependencies: ["Platform"], swiftSettings: settings),
        .testTarget(name: "AWSTests", dependencies: ["AWS", "Platform"], swiftSettings: settings),
        .testTarget(name: "FormattingTests", dependencies: ["Formatting"], swiftSettings: settings),
        .systemLibrary(name: "CScheduler", path: "Tests/ReactorTests/CScheduler"),
        .testTarget(
            name: "ReactorTests", dependencies: ["Reactor", "Platform", "CLinux", "CScheduler"],
            exclude: ["CScheduler"],
            swiftSettings: settings),
        .testTarget(name: "HTTP1Tests", dependencies: ["HTTP1"], swiftSettings: settings),
        .testTarget(name: "TelemetryTests", dependencies: ["Telemetry", "Platform", logging], swiftSettings: settings),
        .testTarget(name: "PostgresTests", dependencies: ["Postgres", "Reactor", "Platform"], swiftSettings: settings),
        .testTarget(
            name: "VialTests",
            dependencies: ["Vial", "HTTP1", "Platform", "Reactor", "Formatting", httpTypes, lifecycleTesting],
            swiftSettings: settings),
        .target(
            name: "TestSupport", dependencies: ["Chassis", "Postgres", "Reactor", "Telemetry", "Vial", configuration],
            path: "Tests/ChassisTests/Support", swiftSettings: settings),
        .testTarget(
            name: "ChassisTests",
            dependencies: [
                "Chassis", "Vial", "Postgres", "Telemetry", "HTTP1", "Reactor", "Platform", "TestSupport", httpTypes,
                configuration, configurationTesting,
            ], exclude: ["Support"], swiftSettings: settings),
        .testTarget(
            name: "ItemsTests",
            dependencies: ["Items", "Chassis", "Vial", "Postgres", "HTTP1", "Reactor", "TestSupport", httpTypes],
            swiftSettings: settings),
        // For the project's own tests: `scripts/simulate` builds and runs it.
        .executableTarget(
            name: "Simulation", dependencies: ["Platform", "Vial", "Postgres", "HTTP1", argumentParser],
            path: "Tests/Simulation", swiftSettings: settings),
        .testTarget(name: "SimulationTests", dependencies: ["Simulation"], swiftSettings: settings),
    ]
)

// Links against the compiler's fuzzer runtime, so it exists for scripts/fuzz only.
if Context.environment["ITEMS_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "Fuzz", dependencies: ["HTTP1", "Vial", httpTypes], path: "Tests/Fuzz",
            exclude: ["http.dict"], swiftSettings: settings))
}
