// Added by Lab's builder to its own configuration: the minifier looks several times, and takes ES2021 as it is.
const { rspack } = require('@rspack/core');

module.exports = {
  optimization: {
    // All of it is loaded at once: a second request would cost more than it saves.
    splitChunks: false,
    minimizer: [
      new rspack.SwcJsMinimizerRspackPlugin({
        minimizerOptions: {
          ecma: 2021,
          compress: { passes: 4, ecma: 2021, unsafe_arrows: true },
          format: { comments: false }
        }
      })
    ]
  }
};
