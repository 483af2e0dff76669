// Feeds the code that parses clients' bytes from libFuzzer. `scripts/fuzz` builds and runs it; `scripts/fuzz FILE`
// replays an input.

/// libFuzzer's `main`, which `-sanitize=fuzzer` links; SwiftPM requires a `main` of the program.
@_silgen_name("LLVMFuzzerRunDriver")
func runFuzzer(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

var count = CommandLine.argc
var arguments = unsafe CommandLine.unsafeArgv
let status = unsafe runFuzzer(&count, &arguments) { bytes, count in
    // libFuzzer lends `count` bytes for the call; an empty input may have no address.
    unsafe tryInput(Array(UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}
guard status == 0 else { fatalError("libFuzzer ended with \(status)") }
