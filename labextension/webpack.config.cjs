// Added to the configuration of JupyterLab's builder: several passes, and ES2021 stays as it is. Functions are not
// inlined: repeated calls compress better.
const { rspack } = require('@rspack/core');

module.exports = {
  module: {
    rules: [
      {
        test: /lib[\\/]view[\\/].*\.js$/,
        use: require.resolve('./scripts/element-loader.cjs')
      },
      {
        test: /uPlot\.esm\.js$/,
        use: require.resolve('./scripts/uplot-loader.cjs')
      }
    ]
  },
  optimization: {
    // All of it is loaded at once: a second request would cost more than it saves.
    splitChunks: false,
    minimizer: [
      new rspack.SwcJsMinimizerRspackPlugin({
        minimizerOptions: {
          ecma: 2021,
          compress: {
            passes: 4,
            ecma: 2021,
            unsafe_arrows: true,
            unsafe: true,
            module: true,
            inline: 0,
            reduce_funcs: false
          },
          format: { comments: false }
        }
      })
    ]
  }
};
